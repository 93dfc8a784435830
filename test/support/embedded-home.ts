import type { Test } from 'tap'
import { type Answer, send } from '../helper.js'
import { until } from './servers.js'
import {
  type Exit,
  type ServiceProcess,
  spawnCli,
  startService,
  temporaryDirectory,
} from './service-process.js'

/** A directory in which the service runs without settings but a free port. */
export interface Home {
  cwd: string
  start(): Promise<ServiceProcess>
  /** The service that was started last. */
  current(): ServiceProcess
  run(args: string[], stdin?: string): Promise<Exit>
}

export function createHome(t: Test): Home {
  const cwd = temporaryDirectory()
  let service: ServiceProcess | undefined
  return { cwd, start, current, run: (args, stdin = '') => spawnCli(args, { cwd, stdin }).exited }

  async function start(): Promise<ServiceProcess> {
    service = await startService(t, { cwd })
    return service
  }

  function current(): ServiceProcess {
    if (!service) throw new Error('nothing was started here')
    return service
  }
}

/** Waits for the banner, which is printed just after the service listens. */
export function bannerOf(service: Pick<ServiceProcess, 'stdout'>): Promise<string> {
  return until(() => {
    if (!service.stdout().includes('Ctrl-C')) throw new Error(`no banner: ${service.stdout()}`)
    return service.stdout()
  })
}

export function passwordIn(banner: string): string {
  return /^ *Password +(\S+)$/m.exec(banner)?.[1] ?? 'none was printed'
}

export function login({ url }: ServiceProcess, mobile: string, password: string): Promise<Answer> {
  return send(url, 'POST', '/login', { body: { mobile, password } })
}

export function identify({ url }: ServiceProcess, token: string): Promise<Answer> {
  return send(url, 'GET', '/identify', { token })
}
