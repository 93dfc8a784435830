/**
 * Runs autocannon with the options in the file named by the first argument. Prints the result as
 * JSON.
 */
import { readFileSync } from 'node:fs'
import autocannon from 'autocannon'

const options = JSON.parse(readFileSync(process.argv[2], 'utf8'))
const { requests, latency, non2xx, errors, timeouts } = await autocannon(options)
const [requestsPerSecond, wrong] = [requests.average, non2xx + errors + timeouts]
console.log(JSON.stringify({ requestsPerSecond, p50: latency.p50, p99: latency.p99, wrong }))
