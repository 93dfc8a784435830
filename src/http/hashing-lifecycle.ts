import fp from 'fastify-plugin'
import type { Passwords } from '../passwords/passwords.js'
import { findStoredCosts } from '../passwords/stored-costs.js'

interface Needs {
  passwords: Pick<Passwords, 'warmUp' | 'expectCosts' | 'close'>
  accounts: Parameters<typeof findStoredCosts>[0]['accounts']
}

/** Hashing threads live as long as the app: ready before it is, and ended after its last answer. */
export const hashingLifecycle = fp<Needs>(async (app, { passwords, accounts }) => {
  // Threads take a while to start, on cores that are idle until all else is ready.
  const warmUp = passwords.warmUp()
  warmUp.catch(() => undefined)
  app.addHook('onReady', () => warmUp)
  app.addHook('onClose', passwords.close)

  const closing = new AbortController()
  app.addHook('onListen', async () => {
    findStoredCosts({ accounts, passwords, signal: closing.signal }).catch(() => undefined)
  })
  app.addHook('preClose', async () => closing.abort())
})
