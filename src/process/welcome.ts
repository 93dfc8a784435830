import type { Config } from '../config/config.js'
import { DEMO_MOBILE } from './demo-account.js'

/**
 * Prints what a newcomer needs: the URL, an account, a command to paste, the documentation, and how
 * to stop.
 */
export function welcome({ host, docs }: Config, port: number, demoPassword: string | undefined): void {
  const url = `http://${reachable(host)}:${port}`
  const body = JSON.stringify({ mobile: DEMO_MOBILE, password: demoPassword ?? '<password>' })
  const password =
    demoPassword ??
    `as printed at the first start (new one: npx auth-service user password --mobile ${DEMO_MOBILE})`
  process.stdout.write(`
auth-service is running at ${url}, embedded: PostgreSQL in this process, no Redis needed.

  Demo account   ${DEMO_MOBILE}
  Password       ${password}

  Log in         curl -s ${url}/login -H 'content-type: application/json' -d '${body}'
${docs ? `  Explore        ${url}/docs\n` : ''}  Stop           Ctrl-C

`)
}

/** A host to paste into a URL. "Every address" is none, and IPv6 needs brackets. */
function reachable(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1'
  return host.includes(':') ? `[${host}]` : host
}
