import type { Test } from 'tap'
import { type Backends, environmentOf, logIn, MOBILE, send, startBackends, userInserter } from '../helper.js'
import { type Certificate, createAuthority } from './certificates.js'
import { isNothingButTls, type Recorder } from './recorder.js'
import { refusedAtOnce as refusedByService } from './refused-at-once.js'
import { type Exit, runCli, startService } from './service-process.js'

/** The password of the tests' Redis, which must never be sent in the clear. */
export const REDIS_PASSWORD = 'never-in-the-clear'

/** The name under which the tests usually connect to their servers. */
export const HERE = 'IP:127.0.0.1'

export const SENTINEL = { REDIS_MODE: 'sentinel', REDIS_SENTINEL_NAME: 'sessions' }

/** Helpers for a service with any Redis that a test names, and an authority that it trusts. */
export async function createTlsScene(t: Test) {
  const backends: Backends = await startBackends(t)
  await userInserter(backends.sql)({ mobile: MOBILE })
  const authority = createAuthority()
  const env = { ...environmentOf(backends), PORT: '0' }
  /** Settings for a server with this certificate. */
  const showing = (issued: Certificate) => ({ ...issued, authority: authority.certificate })

  return {
    authority,
    showing,
    tls: showing(authority.issue(HERE)),
    /** A URL that trusts this authority. */
    urlOf: (port: number, { host = '127.0.0.1', scheme = 'rediss', path = '' } = {}) =>
      `${scheme}://:${REDIS_PASSWORD}@${host}:${port}${path}?sslrootcert=${authority.certificate}`,
    run: (settings: NodeJS.ProcessEnv) => runCli(['serve'], { ...env, ...settings }),
    env,
    serves,
  }

  /** Starts the service, which logs in, checks and logs out. */
  async function serves(t: Test, settings: NodeJS.ProcessEnv): Promise<{ url: string }> {
    const service = await startService(t, { env: { ...env, PORT: undefined, ...settings } })
    const token = await logIn(service.url)
    t.equal((await identify(service.url, token)).status, 200)
    t.equal((await send(service.url, 'POST', '/logout', { token })).status, 200)
    return service
  }
}

export function identify(url: string, token: string) {
  return send(url, 'GET', '/identify', { token })
}

/** The recorder received traffic, all of it TLS, without the password in the clear. */
export function heardOnlyTls(t: Test, recorder: Recorder): void {
  const heard = recorder.heard()
  t.ok(heard.filter(({ length }) => length > 500).length >= 4, `${heard.length} streams`)
  for (const stream of heard) t.ok(isNothingButTls(stream), stream.subarray(0, 40).toString('latin1'))
  t.notMatch(text(heard), REDIS_PASSWORD)
}

/** The recorder received no command and no password for a server that does not speak TLS. */
export function heardNoCommand(t: Test, recorder: Recorder): void {
  t.notMatch(
    text(recorder.heard()),
    new RegExp(`${REDIS_PASSWORD}|HELLO|AUTH|PING|INFO|SENTINEL|CLUSTER`, 'i'),
  )
}

function text(heard: Buffer[]): string {
  return Buffer.concat(heard).toString('latin1')
}

/** The same as for every store, of Redis, and without its password. */
export function refusedAtOnce(t: Test, exit: Exit, why: RegExp): void {
  refusedByService(t, exit, why)
  t.match(exit.stderr, /^auth-service: Redis refuses: /)
  t.notMatch(exit.stdout + exit.stderr, REDIS_PASSWORD)
}
