/**
 * `node connection-flood.mjs PORT`: opens 12,000 connections and keeps them. It is a process of its
 * own, because the kernel may take many seconds for that, and the other clients must not wait
 * meanwhile. Prints how many were closed again.
 */
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

let dropped = 0
for (let batch = 0; batch < 24; batch++) {
  for (let each = 0; each < 500; each++) {
    const socket = connect(Number(process.argv[2]), '127.0.0.1').resume()
    socket.on('error', () => undefined).once('close', () => dropped++)
  }
  await sleep(25)
}
// The kernel tries a connection again after a second or more if it found the queue full.
while (dropped === 0) await sleep(10)
await sleep(500)
process.stdout.write(`${dropped}\n`)
