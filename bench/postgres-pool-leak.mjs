/**
 * `node bench/postgres-pool-leak.mjs postgres://…`: sends a small statement to PostgreSQL again and
 * again, two at a time, through postgres.js: first over a pool of ten connections, then over one
 * connection. Prints the time of this process per statement, and the heap after a collection, as
 * statements add up.
 *
 * In a pool some connection is always idle, so the driver's queue of open connections is never
 * empty. The driver replaces only an empty queue (its src/queue.js): each statement leaves an
 * entry, and each searches all entries.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import postgres from 'postgres'

const STATEMENTS = 30_000
const ROUNDS = 5

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc')

const url = process.argv[2]
if (!url) throw new Error('usage: node bench/postgres-pool-leak.mjs postgres://user@host/database')

for (const max of [10, 1]) {
  const sql = postgres(url, { max })
  // A pool opens a connection only when all others are busy.
  await Promise.all(Array.from({ length: max }, () => sql`select pg_sleep(0.1)`))
  for (let round = 1; round <= ROUNDS; round++) {
    const before = process.cpuUsage()
    await Promise.all([askOften(sql), askOften(sql)])
    const { user, system } = process.cpuUsage(before)
    collect()
    const heap = process.memoryUsage().heapUsed / 1e6
    console.log(
      `max: ${max}, after ${round * STATEMENTS} statements: ` +
        `${((user + system) / STATEMENTS).toFixed(0)} µs per statement, ${heap.toFixed(1)} MB of heap`,
    )
  }
  await sql.end()
}

async function askOften(sql) {
  for (let left = STATEMENTS / 2; left > 0; left--) await sql`select 1`
}
