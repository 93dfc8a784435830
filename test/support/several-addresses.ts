import type { Test } from 'tap'
import { expectDocumentedFrom } from './documented.js'
import { freePort, until } from './servers.js'
import { CLI, type Running, spawnProgram } from './service-process.js'

/** The addresses of `localhost` with both versions of IP. */
export const DUAL_STACK = ['::1', '127.0.0.1']

/** A process of the service that listens at several addresses. */
export interface ServiceAtSeveral extends Running {
  urls: string[]
}

/**
 * Runs `auth-service serve` with `localhost` resolved to these addresses, whatever this machine has
 * in its hosts file.
 */
export function serveWhereLocalhostIs(addresses: string[], env: NodeJS.ProcessEnv): Running {
  const found = addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))
  const preload = `
    import dns from 'node:dns'
    const { lookup } = dns
    const found = ${JSON.stringify(found)}
    dns.lookup = (name, options, callback) => {
      if (name !== 'localhost') return lookup(name, options, callback)
      if (options.all) process.nextTick(callback, null, found)
      else process.nextTick(callback, null, found[0].address, found[0].family)
    }`
  const args = ['--import', `data:text/javascript,${encodeURIComponent(preload)}`, CLI, 'serve']
  return spawnProgram(process.execPath, args, { env: { ...env, HOST: 'localhost' } })
}

/** Starts the service at both addresses of `localhost` and stops it with the test. */
export async function startAtBoth(t: Test, env: NodeJS.ProcessEnv): Promise<ServiceAtSeveral> {
  const port = await freePort()
  const running = serveWhereLocalhostIs(DUAL_STACK, { ...env, PORT: String(port) })
  t.teardown(() => running.stop())
  const urls = DUAL_STACK.map(
    (address) => `http://${address.includes(':') ? `[${address}]` : address}:${port}`,
  )
  for (const url of urls) {
    expectDocumentedFrom(url)
    await until(() => fetch(`${url}/livez`), { withinMs: 70_000 }).catch(() => {
      throw new Error(`nothing listens at ${url}: ${running.stdout()}${running.stderr()}`)
    })
  }
  return { ...running, urls }
}
