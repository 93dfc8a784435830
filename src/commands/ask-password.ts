import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { OperatorError } from '../errors.js'

/**
 * A new password from the terminal, asked for twice and without echo, or the whole of standard input where that is
 * no terminal. Never from an argument: those are in the shell's history and in the process list.
 *
 * @throws OperatorError when the two differ, or nothing was entered.
 */
export async function askNewPassword(): Promise<string> {
  if (!process.stdin.isTTY) return (await text(process.stdin)).replace(/\r?\n$/, '')
  const password = await ask('New password:')
  if ((await ask('Once more:')) !== password) throw new OperatorError('the two passwords differ')
  return password
}

/** Rejects at Ctrl-C and Ctrl-D, where the packages for this settle with an error of their own or not at all. */
async function ask(prompt: string): Promise<string> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
  const lines = createInterface({ input: process.stdin, output: nowhere, terminal: true })
  // Only now is the terminal's own echo off: whoever types at once is not shown either.
  process.stderr.write(`${prompt} `)
  try {
    return await new Promise((resolve, reject) => {
      lines.once('line', resolve)
      lines.once('close', () => reject(new OperatorError('cancelled: no password was entered')))
      lines.once('SIGINT', () => lines.close())
    })
  } finally {
    lines.close()
    // The line break that was typed was not shown either.
    process.stderr.write('\n')
  }
}
