import fp from 'fastify-plugin'
import type { Passwords } from '../passwords/passwords.js'
import { findStoredCosts } from '../passwords/stored-costs.js'

interface Needs {
  passwords: Pick<Passwords, 'warmUp' | 'expectCosts' | 'close'>
  accounts: Parameters<typeof findStoredCosts>[0]['accounts']
}

/** Starts the hashing threads before the app is ready, and ends them after its last answer. */
export const hashingLifecycle = fp<Needs>(async (app, { passwords, accounts }) => {
  // Start the threads early: the cores are idle while the rest of the app gets ready.
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
