import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { projectWithClient } from './packed-client.js'
import { findPython, freePort, until } from './servers.js'
import { type Running, spawnProgram } from './service-process.js'

const ROOT = new URL('../../', import.meta.url)

/** A service of the platform's, in a process of its own, that lets auth-service check its tokens. */
export interface Sibling extends Running {
  url: string
}

/** Runs a Fastify service as the text of a program, where Fastify and the packed client are installed. */
export async function startFastify(t: Test, text: string, authUrl: string): Promise<Sibling> {
  const port = await freePort()
  const program = readdressed(text, authUrl, port)
  const env = { AUTH_URL: authUrl, PORT: String(port) }
  const args = ['--input-type=module', '-e', program]
  return listening(t, port, spawnProgram(process.execPath, args, { env, cwd: projectWithClient('fastify') }))
}

/** Runs a Flask application as the text of its module, beside which the example's decorator is. */
export async function startFlask(t: Test, text: string, authUrl: string): Promise<Sibling> {
  const python = findPython(['flask', 'urllib3'])
  if (!python) throw new Error('Flask is not installed: run npm test, which installs it or says how to')
  const port = await freePort()
  const cwd = mkdtempSync(join(tmpdir(), 'auth-flask-'))
  t.teardown(() => rmSync(cwd, { recursive: true }))
  writeFileSync(join(cwd, 'app.py'), text)
  const env = {
    AUTH_URL: authUrl,
    PYTHONPATH: fileURLToPath(new URL('examples/flask', ROOT)),
    PYTHONDONTWRITEBYTECODE: '1',
  }
  const args = ['-m', 'flask', '--app', 'app', 'run', '--port', String(port)]
  return listening(t, port, spawnProgram(python, args, { env, cwd }))
}

/** A file of the project. */
export function readProject(path: string): string {
  return readFileSync(new URL(path, ROOT), 'utf8')
}

/** The code block of a document that a comment before it marks as a program. */
export function marked(markdown: string, mark: string): string {
  const [, text] = new RegExp(`<!-- ${mark} -->\n\`\`\`\\w+\n(.*?)\`\`\``, 's').exec(markdown) ?? []
  if (!text) throw new Error(`nothing is marked ${mark}`)
  return text
}

function readdressed(text: string, authUrl: string, port: number): string {
  return text.replaceAll('4000', String(port)).replaceAll('http://127.0.0.1:3000', authUrl)
}

/** Any answer will do: not every sibling has a route that is open to all. @throws when it ends instead */
async function listening(t: Test, port: number, running: Running): Promise<Sibling> {
  t.teardown(() => running.stop())
  const url = `http://127.0.0.1:${port}`
  await Promise.race([
    until(() => fetch(url), { withinMs: 70_000 }),
    running.exited.then(({ code, signal, stderr }) => {
      throw new Error(`the sibling ended with ${code ?? signal} before it listened: ${stderr}`)
    }),
  ])
  return { ...running, url }
}
