/**
 * The health check of the image: `node health-check.js PORT` exits with 0 if the service on this
 * port answers /livez. A bare socket: fetch would ask HTTP_PROXY where Node.js is told to use it,
 * and takes several times as long to load, which counts on a fifth of a core.
 */
import { connect } from 'node:net'

const REQUEST = 'GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'

const socket = connect({ host: '127.0.0.1', port: Number(process.argv[2]) }, () => socket.write(REQUEST))
socket.once('data', (answer) => process.exit(answer.toString('latin1').startsWith('HTTP/1.1 200 ') ? 0 : 1))
socket.on('error', () => process.exit(1)).on('close', () => process.exit(1))
