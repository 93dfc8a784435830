/**
 * Preloaded into an instance: holds every login between its two writes, after the commit and before
 * the join, while the file named by GATE_FILE exists. Lets through a join that only repeats what
 * Redis holds, and the join of a tombstone.
 */
import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'

const { defineCommand } = Redis.prototype

Redis.prototype.defineCommand = function (name, definition) {
  defineCommand.call(this, name, definition)
  if (name !== 'joinSession') return
  const run = this[name]
  this[name] = async (key, stamp, sessionId, ...others) => {
    const held = await this.get(key)
    const isNewSession = sessionId !== '' && held !== `${stamp}.${sessionId}`
    while (isNewSession && existsSync(process.env.GATE_FILE)) await sleep(5)
    return run.call(this, key, stamp, sessionId, ...others)
  }
}
