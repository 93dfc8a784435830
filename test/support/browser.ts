import { chromium, type Page } from 'playwright-core'
import type { Test } from 'tap'
import { requireProgram } from './servers.js'

/** A name under which the browser finds this machine, as it would find a server; it finds nothing else. */
export const HOST = 'auth.test'

/** How long a page may take for anything, in milliseconds: much, because the machine may be busy. */
const PATIENCE_MS = 60_000

/** A page, and everything in it that a person who looks after it would complain about. */
export interface Visit {
  page: Page
  complaints: string[]
}

/** Opens an empty page in a browser of its own, which goes with the test. */
export async function openBrowser(t: Test): Promise<Visit> {
  const browser = await chromium.launch({
    executablePath: requireProgram('chromium'),
    // Chromium refuses to put root into its sandbox.
    args: ['--no-sandbox', `--host-resolver-rules=MAP ${HOST} 127.0.0.1, MAP * ~NOTFOUND`],
    timeout: PATIENCE_MS,
  })
  t.teardown(() => browser.close())
  const page = await browser.newPage({ viewport: { width: 1280, height: 1600 } })
  page.setDefaultTimeout(PATIENCE_MS)

  const complaints: string[] = []
  page.on('console', (message) => {
    // What somebody tries out may be refused: the browser calls that an error too.
    if (['error', 'warning'].includes(message.type()) && !/status of \d+/.test(message.text())) {
      complaints.push(`console: ${message.text()}`)
    }
  })
  page.on('response', (response) => {
    const isTriedOut = response.request().resourceType() === 'fetch'
    if (response.status() >= 400 && !isTriedOut) complaints.push(`${response.status()}: ${response.url()}`)
  })
  page.on('pageerror', (error) => complaints.push(`error: ${error.message}`))
  page.on('requestfailed', (request) => complaints.push(`failed: ${request.url()}`))
  page.on('request', (request) => {
    const { hostname, protocol } = new URL(request.url())
    if (protocol !== 'data:' && hostname !== HOST) complaints.push(`elsewhere: ${request.url()}`)
  })
  await page.exposeFunction('complain', (text: string) => complaints.push(text))
  await page.addInitScript({ content: REPORT_VIOLATIONS })
  return { page, complaints }
}

/** Runs in the page, before everything else. */
const REPORT_VIOLATIONS = `document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) =>
  complain('policy: ' + violatedDirective + ' ' + blockedURI))`
