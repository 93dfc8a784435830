import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { MIN_NEW_PASSWORD_LENGTH } from '../passwords/password-length.js'
import { OperatorError } from '../refusals/operator-error.js'
import { textOf, wasDamaged } from '../text/utf8.js'

/** More than any password has, in bytes. Longer input is refused. */
const MAX_INPUT_BYTES = 4096

/**
 * A new password: asked for twice without echo at a terminal, otherwise the only line of standard
 * input. Never from an argument: arguments are in the history of the shell and in the list of
 * processes.
 *
 * @param check refuses a password that was typed, before it is asked for once more.
 * @throws OperatorError when the two differ, nothing was entered, or the input is not one line of
 *   UTF-8.
 */
export async function askNewPassword(check: (password: string) => Promise<void>): Promise<string> {
  if (!process.stdin.isTTY) return onlyLineOf(await readInput())
  const terminal = openTerminal()
  try {
    const password = await terminal.ask('New password:')
    if (wasDamaged(password)) throw new OperatorError('password is not UTF-8: set the terminal to UTF-8')
    await check(password)
    if ((await terminal.ask('Once more:')) !== password) throw new OperatorError('the two passwords differ')
    return password
  } finally {
    terminal.close()
  }
}

async function readInput(): Promise<Buffer> {
  const pieces: Buffer[] = []
  let length = 0
  try {
    for await (const piece of process.stdin as AsyncIterable<Buffer>) {
      pieces.push(piece)
      length += piece.length
      if (length > MAX_INPUT_BYTES) throw new OperatorError('password is too long on standard input')
    }
  } catch (error) {
    if (error instanceof OperatorError) throw error
    throw new OperatorError(`standard input cannot be read (${(error as NodeJS.ErrnoException).code})`)
  }
  return Buffer.concat(pieces)
}

/**
 * The line without its line break. A second line is refused: it may be a confirmation, another
 * password or a mistake.
 */
function onlyLineOf(input: Buffer): string {
  if (input.length === 0) {
    throw new OperatorError(
      `password is shorter than ${MIN_NEW_PASSWORD_LENGTH} characters: standard input is empty`,
    )
  }
  const line = textOf(input)?.replace(/\r?\n$/, '')
  if (line === undefined) throw new OperatorError('password is not UTF-8 on standard input')
  if (/[\r\n]/.test(line)) {
    throw new OperatorError('password is not the only line of standard input: send one line')
  }
  return line
}

/**
 * The terminal without echo, until it is closed: what is typed early is not shown, either.
 *
 * `ask` rejects at Ctrl-C and Ctrl-D. npm packages for this reject with an error of their own or
 * never settle.
 */
function openTerminal() {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
  // Without history: the arrow keys must not bring a password back.
  const lines = createInterface({ input: process.stdin, output: nowhere, terminal: true, historySize: 0 })
  lines.once('SIGINT', () => lines.close())
  const typed = lines[Symbol.asyncIterator]()

  return { ask, close: () => lines.close() }

  async function ask(prompt: string): Promise<string> {
    process.stderr.write(`${prompt} `)
    const { value, done } = await typed.next()
    // The typed line break was not echoed, either.
    process.stderr.write('\n')
    if (done) throw new OperatorError('cancelled: no password was entered')
    return value
  }
}
