import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { projectWithClient } from './packed-client.js'
import { findPython, freePort, until } from './servers.js'
import { type Running, spawnProgram } from './service-process.js'

const ROOT = new URL('../../', import.meta.url)

/** A sibling service in a process of its own, which verifies its tokens with auth-service. */
export interface Sibling extends Running {
  url: string
}

/**
 * Runs the text of a Fastify program, with Fastify and the packed client installed in a project as
 * `npm init -y` makes it.
 */
export async function startFastify(t: Test, text: string, authUrl: string): Promise<Sibling> {
  const port = await freePort()
  const cwd = projectWithClient('fastify')
  writeFileSync(join(cwd, 'package.json'), '{ "name": "service", "version": "1.0.0", "type": "commonjs" }')
  writeFileSync(join(cwd, 'service.mjs'), readdressed(text, authUrl, port))
  const env = { AUTH_URL: authUrl, PORT: String(port) }
  return listening(t, port, spawnProgram(process.execPath, ['service.mjs'], { env, cwd }))
}

/** Runs the text of a Flask program, with the decorator of the example on its path. */
export async function startFlask(t: Test, text: string, authUrl: string): Promise<Sibling> {
  const python = findPython(['flask', 'urllib3'])
  if (!python) throw new Error('Flask is not installed: run npm test, which installs it or says how to')
  const port = await freePort()
  const cwd = mkdtempSync(join(tmpdir(), 'auth-flask-'))
  t.teardown(() => rmSync(cwd, { recursive: true }))
  writeFileSync(join(cwd, 'app.py'), readdressed(text, authUrl, port))
  const env = {
    AUTH_URL: authUrl,
    PYTHONPATH: fileURLToPath(new URL('examples/flask', ROOT)),
    PYTHONDONTWRITEBYTECODE: '1',
  }
  return listening(t, port, spawnProgram(python, ['app.py'], { env, cwd }))
}

/** A file of the project. */
export function readProject(path: string): string {
  return readFileSync(new URL(path, ROOT), 'utf8')
}

/** The code block of a document that a comment before it marks. */
export function marked(markdown: string, mark: string): string {
  const [, text] = new RegExp(`<!-- ${mark} -->\n\`\`\`\\w+\n(.*?)\`\`\``, 's').exec(markdown) ?? []
  if (!text) throw new Error(`nothing is marked ${mark}`)
  return text
}

function readdressed(text: string, authUrl: string, port: number): string {
  return text.replaceAll('4000', String(port)).replaceAll('http://127.0.0.1:3000', authUrl)
}

/** Waits for any answer: not every sibling has an open route. @throws when the process ends */
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
