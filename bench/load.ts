import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { GATEWAY } from '../test/faults/clients.js'
import { basic } from '../test/helper.js'
import { findProgram } from '../test/support/servers.js'

/**
 * Connections of the load generator. Each sends a request as soon as the one before it is answered.
 */
export const CONNECTIONS = 64

/** Pause between two spot checks of the answers under load, in milliseconds. */
const LOOK_EVERY_MS = 50

/** A request that is sent with one of many tokens each time. */
export interface Question {
  method: 'GET' | 'POST'
  path: string
  headers(token: string): Record<string, string>
  body?(token: string): string
}

export const IDENTIFY: Question = {
  method: 'GET',
  path: '/identify',
  headers: (token) => ({ authorization: `Bearer ${token}` }),
}

export const VERIFY: Question = {
  method: 'POST',
  path: '/verify',
  headers: () => ({ 'content-type': 'application/json' }),
  body: (token) => JSON.stringify({ token }),
}

export const INTROSPECT: Question = {
  method: 'POST',
  path: '/introspect',
  headers: () => ({
    authorization: basic(GATEWAY),
    'content-type': 'application/x-www-form-urlencoded',
  }),
  body: (token) => new URLSearchParams({ token }).toString(),
}

/** Latencies in milliseconds. */
export interface Load {
  requestsPerSecond: number
  p50: number
  p99: number
  /** Answers that were not 200, or named another user. */
  wrong: number
}

export interface Tokens {
  /** The users whom the answers must name, by token. */
  userIds: number[]
  texts: string[]
}

/**
 * wrk uses less of a core than the service that it measures. autocannon replaces it where it is not
 * installed.
 */
export const GENERATOR = findProgram('wrk') ? 'wrk' : 'autocannon'

interface LoadOptions {
  seconds: number
  /**
   * Whether answers name the token's user. Those of a route that checks nothing do not. Default
   * true.
   */
  checksUser?: boolean
  /** The only cores that the load generator may use, in taskset's notation. Default: any. */
  generatorCores?: string
}

/** Generates load for `seconds`, from a process of its own. */
export async function load(
  url: string,
  question: Question,
  tokens: Tokens,
  { seconds, checksUser = true, generatorCores }: LoadOptions,
): Promise<Load> {
  const directory = mkdtempSync(join(tmpdir(), 'auth-bench-'))
  try {
    const looking = new AbortController()
    const looked = checksUser ? look(url, question, tokens, looking.signal) : Promise.resolve(0)
    const commandOf = GENERATOR === 'wrk' ? wrk : autocannon
    const { command, read } = commandOf({ url, question, texts: tokens.texts, seconds, directory })
    const [program = '', ...args] = generatorCores
      ? ['taskset', '--cpu-list', generatorCores, ...command]
      : command
    const { stdout } = await promisify(execFile)(program, args).finally(() => looking.abort())
    const result = read(stdout)
    return { ...result, wrong: result.wrong + (await looked) }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** Spot-checks answers under load. Returns how many were wrong or missing. */
async function look(url: string, question: Question, tokens: Tokens, until: AbortSignal): Promise<number> {
  let wrong = 0
  for (let turn = 0; !until.aborted; turn++) {
    const index = (turn * 7919) % tokens.texts.length
    const token = tokens.texts[index] ?? ''
    const userId = await userOf(url, question, token).catch(() => undefined)
    if (userId !== tokens.userIds[index]) wrong++
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS))
  }
  return wrong
}

/** The user whom the answer names. */
async function userOf(url: string, question: Question, token: string): Promise<number | undefined> {
  const body = question.body?.(token)
  const response = await fetch(url + question.path, {
    method: question.method,
    headers: question.headers(token),
    ...(body === undefined ? {} : { body }),
  })
  const answer = (await response.json()) as { data?: { user_id?: number }; sub?: string }
  return answer.data?.user_id ?? Number(answer.sub)
}

interface Job {
  url: string
  question: Question
  texts: string[]
  seconds: number
  /** Holds the generator's input. Removed after the load. */
  directory: string
}

/** A command that generates load, and a function that reads its output. */
interface Generator {
  command: string[]
  read(output: string): Load
}

function wrk({ url, question, texts, seconds, directory }: Job): Generator {
  const file = join(directory, 'requests')
  const lines = texts.map((token) => {
    return `${[question.body?.(token) ?? '', ...Object.entries(question.headers(token)).flat()].join('\t')}\n`
  })
  writeFileSync(file, lines.join(''))
  const script = fileURLToPath(new URL('./wrk.lua', import.meta.url))
  return {
    command: [
      ...['wrk', '-t1', `-c${CONNECTIONS}`, `-d${seconds}s`, '--timeout', '10s', '-s', script],
      ...[url + question.path, '--', question.method, question.path, file],
    ],
    read: (output) => {
      const { requests, duration, p50, p99, wrong } = JSON.parse(output.split('RESULT ')[1] ?? '')
      return { requestsPerSecond: requests / (duration / 1e6), p50: p50 / 1000, p99: p99 / 1000, wrong }
    },
  }
}

function autocannon({ url, question, texts, seconds, directory }: Job): Generator {
  const requests = texts.map((token) => {
    const body = question.body?.(token)
    return {
      method: question.method,
      path: question.path,
      headers: question.headers(token),
      ...(body && { body }),
    }
  })
  const file = join(directory, 'options.json')
  writeFileSync(file, JSON.stringify({ url, connections: CONNECTIONS, duration: seconds, requests }))
  const script = fileURLToPath(new URL('./autocannon.mjs', import.meta.url))
  return { command: [process.execPath, script, file], read: (output) => JSON.parse(output) as Load }
}
