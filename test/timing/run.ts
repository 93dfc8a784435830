/**
 * `npm run test:timing [-- --samples N]`: measures how long refused logins take, by the reason of
 * the refusal. Runs the built service on stores of its own and prints a table. Exits with 1 when a
 * median is more than 5 % off that of a wrong password. Takes a quarter of an hour, on a machine
 * with nothing else to do.
 */
import { parseArgs } from 'node:util'
import { createWorld } from '../faults/world.js'
import { send, userInserter } from '../helper.js'
import { markdownTable } from '../support/markdown-table.js'
import { requirePrograms, STORES } from '../support/programs.js'
import { addRefusedUsers, measureRefusals, quantile, REFUSALS, type Reason } from '../support/refusals.js'
import { endOnSignals } from '../support/service-process.js'

/** How far a median may be off that of a wrong password. */
const TOLERANCE = 0.05

const { values } = parseArgs({ options: { samples: { type: 'string', default: '500' } } })
const samples = Number(values.samples)
if (!Number.isInteger(samples) || samples < 1) {
  process.stderr.write('Usage: npm run test:timing [-- --samples N]\n')
  process.exit(2)
}

requirePrograms(STORES)
endOnSignals()
const world = await createWorld({ instances: 1, users: 0 })
const times = await measureAll().finally(world.dispose)

const usual = quantile(times.get('wrong password') ?? [])
const ratioOf = (reason: Reason) => quantile(times.get(reason) ?? []) / usual
const rows = [...times].map(([reason, taken]) => [
  reason,
  String(taken.length),
  ...[0.25, 0.5, 0.75].map((share) => quantile(taken, share).toFixed(1)),
  ratioOf(reason).toFixed(3),
])
const headings = ['refused for', 'samples', '25 % ms', 'median ms', '75 % ms', 'of a wrong password’s']
process.stdout.write(`${markdownTable(headings, rows).join('\n')}\n`)
const off = [...times.keys()].filter((reason) => Math.abs(ratioOf(reason) - 1) > TOLERANCE)
if (off.length > 0) process.stdout.write(`more than ${TOLERANCE * 100} % off: ${off.join('; ')}\n`)
process.exitCode = off.length > 0 ? 1 : 0

async function measureAll() {
  await addRefusedUsers(userInserter(world.sql))
  const url = world.instances[0]?.url ?? ''
  let refused = 0
  return measureRefusals(samples, async (body, reason) => {
    // Keeps the throttle from refusing with 429.
    if (refused % 50 === 0) await world.redisClient.flushall()
    const started = performance.now()
    const { status } = await send(url, 'POST', '/login', { body })
    const ms = performance.now() - started
    // Shed for lack of time: not a refusal of the login.
    if (status === 503) return undefined
    if (status !== 401) throw new Error(`${reason}: ${status}`)
    refused++
    if (refused % 100 === 0) progress(refused)
    return ms
  })
}

function progress(refused: number): void {
  const total = samples * Object.keys(REFUSALS).length
  process.stderr.write(`${refused} of ${total}\n`)
}
