import { chromium, type Page } from 'playwright-core'
import type { Test } from 'tap'
import { requireProgram } from './servers.js'

/** The name of this machine in the browser, as of a server. The browser resolves no other name. */
export const HOST = 'auth.test'

/** How long a page may take for anything, in ms: long, because the machine may be busy. */
const PATIENCE_MS = 60_000

/** A page, and everything that went wrong in it. */
export interface Visit {
  page: Page
  complaints: string[]
}

/** Opens an empty page in a browser of its own, which ends with the test. */
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
    // "Try it out" may be refused, which the browser calls an error.
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
