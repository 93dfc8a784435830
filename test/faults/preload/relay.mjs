/**
 * Forwards TCP connections, on the far side of a network that can be cut.
 * Arguments: the address to listen on, then a port, a target address and a target port, repeated.
 */
import { connect, createServer } from 'node:net'

const [address, ...pairs] = process.argv.slice(2)
for (let index = 0; index < pairs.length; index += 3) {
  const [port, target, targetPort] = pairs.slice(index, index + 3)
  createServer((near) => {
    const far = connect(Number(targetPort), target)
    near.pipe(far).pipe(near)
    for (const socket of [near, far]) {
      socket.on('error', () => undefined)
      socket.on('close', () => {
        near.destroy()
        far.destroy()
      })
    }
  }).listen(Number(port), address)
}
