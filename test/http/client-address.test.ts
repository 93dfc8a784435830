import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { PassThrough } from 'node:stream'
import { pino } from 'pino'
import t from 'tap'
import { createProxies } from '../../src/http/client-address.js'
import { build, MOBILE, PASSWORD, type Service } from '../helper.js'
import { PATIENCE } from '../support/patience.js'
import { exchange, request } from '../support/raw-http.js'
import { until } from '../support/servers.js'

const BEHIND_A_PROXY = { TRUST_PROXY: '127.0.0.1' }

t.test('too many failures from one network', async (t) => {
  const networks: Record<string, [clients: (index: number) => string, logged: (index: number) => string]> = {
    'addresses of one IPv6 /64': [
      (index) => `2001:db8:0:7:${(index * 977).toString(16)}::${index + 1}`,
      (index) => canonicalInUrl(`2001:db8:0:7:${(index * 977).toString(16)}::${index + 1}`),
    ],
    'ports of one IPv4 address': [(index) => `203.0.113.8:${50_001 + index}`, () => '203.0.113.8'],
    'ports of one IPv6 address': [(index) => `[2001:DB8::8]:${50_001 + index}`, () => '2001:db8::8'],
    'an IPv4 address and its IPv4-mapped IPv6 address': [
      (index) =>
        ['203.0.113.9', '::ffff:203.0.113.9', '::FFFF:CB00:7109', '[::ffff:203.0.113.9]:1'][index % 4] ?? '',
      () => '203.0.113.9',
    ],
    'spellings of one IPv6 address': [
      (index) =>
        ['2001:db8:9::9', '2001:0DB8:9:0::9', '[2001:db8:9::0009]', '2001:db8:9::9%eth0'][index % 4] ?? '',
      () => '2001:db8:9::9',
    ],
  }
  const service = await build(t, { env: { ...BEHIND_A_PROXY, LOGIN_MAX_FAILURES: '1' } })

  for (const [name, [clients, logged]] of Object.entries(networks)) {
    t.test(`429 for ${name}`, async (t) => {
      const statuses: number[] = []
      // A slow store may fail to count an attempt, so the number that it takes varies.
      while (statuses.at(-1) !== 429 && statuses.length < 45) {
        const index = statuses.length
        statuses.push((await failLogin(service, clients(index))).status)
        t.equal(service.actions.at(-1)?.ip, logged(index), 'and the action log knows it by its one spelling')
      }

      t.equal(statuses.pop(), 429)
      t.ok(statuses.length >= 10 && statuses.every((status) => status === 401))
    })
  }

  t.test('401 for neighbouring networks', async (t) => {
    for (const neighbour of ['203.0.113.7', '2001:db8:0:8::1', '64:ff9b::203.0.113.7']) {
      t.equal((await failLogin(service, neighbour)).status, 401, neighbour)
    }
  })
})

t.test('logs the address of the client behind a chain of trusted proxies', async (t) => {
  const TRUST_PROXY = '127.0.0.1, ::ffff:10.0.0.0/104, 2001:db8:aaaa::/48'
  const service = await build(t, { env: { TRUST_PROXY } })
  const chains: Record<string, string> = {
    '203.0.113.8': '203.0.113.8',
    '198.51.100.1, 203.0.113.8': '203.0.113.8',
    '203.0.113.8, 10.0.0.1': '203.0.113.8',
    '198.51.100.1, 203.0.113.8:50001, 10.0.0.1:443, [2001:db8:AAAA::1]:443, ::ffff:10.9.9.9': '203.0.113.8',
    '203.0.113.8,10.0.0.1\t,\t10.0.0.2': '203.0.113.8',
    '10.0.0.2, 10.0.0.1': '10.0.0.2',
    'unknown, 203.0.113.8': '203.0.113.8',
  }

  for (const [chain, client] of Object.entries(chains)) {
    await failLogin(service, chain)
    t.equal(service.actions.at(-1)?.ip, client, chain)
  }

  await failLogin(service, '198.51.100.1', '203.0.113.8', '10.0.0.1:443, 10.0.0.2')
  t.equal(service.actions.at(-1)?.ip, '203.0.113.8', 'and several headers are one list')
})

t.test('takes the address of the proxy where X-Forwarded-For holds none, and warns once', async (t) => {
  const { log, lines } = captured()
  const service = await build(t, { env: { TRUST_PROXY: '127.0.0.1,10.0.0.0/8' }, log })
  const nobodies = [
    'unknown',
    '_hidden',
    '',
    ' ',
    'unix:',
    '<script>alert(1)</script>',
    '203.0.113.8, ',
    '203.0.113.8,,',
    '010.0.0.1',
    '1.1',
    '203.0.113.8:',
    '203.0.113.8:http',
    '[203.0.113.8]:80',
    '[2001:db8::1',
    '"[2001:db8::1]:443"',
    'for=203.0.113.8',
    '['.repeat(3000),
    `fe80::1%${'a'.repeat(3000)}\u00a0b`,
  ]

  for (const nobody of nobodies) {
    await failLogin(service, nobody)
    t.equal(service.actions.at(-1)?.ip, '127.0.0.1', JSON.stringify(nobody.slice(0, 40)))
  }
  await failLogin(service, '203.0.113.8, unknown, 10.0.0.1:443')
  t.equal(service.actions.at(-1)?.ip, '10.0.0.1', 'the hop that wrote it, not the last one')

  const warnings = lines().filter(({ msg }) => String(msg).includes('X-Forwarded-For'))
  t.equal(warnings.length, 1)
  t.match(warnings[0], { level: 40, msg: /127\.0\.0\.1/ })
  t.notMatch(JSON.stringify(lines()), /script|hidden|203\.0\.113/, 'nothing of it is repeated')
})

t.test('ignores X-Forwarded-For from a peer that is not trusted, and warns once', async (t) => {
  const { log, lines } = captured()
  const service = await build(t, { env: { TRUST_PROXY: '192.0.2.1' }, log })
  await service.addUser()
  const warnings = () => lines().filter(({ msg }) => String(msg).includes('TRUST_PROXY'))

  const token = await service.login()
  await service.call('GET', '/identify', { token, headers: { 'x-forwarded-for': '198.51.100.7' } })
  t.strictSame(warnings(), [], 'a login without it and an identify with it are worth no line')

  for (let attempt = 0; attempt < 3; attempt++) await failLogin(service, `198.51.100.${attempt}`)
  t.equal(warnings().length, 1, 'one line for three logins')
  t.match(warnings()[0], { level: 40, msg: /from 127\.0\.0\.1 .*TRUST_PROXY/ })
  t.notMatch(JSON.stringify(lines()), /198\.51\.100/, 'the header is not repeated')
  t.equal(service.actions.at(-1)?.ip, '127.0.0.1')
})

t.test('warns of at most 100 networks that send X-Forwarded-For without being trusted', async (t) => {
  const lines: string[] = []
  const { clientOf } = createProxies({ trusted: false, log: { warn: (line) => lines.push(line) } })

  for (let round = 0; round < 2; round++) {
    for (let peer = 0; peer < 300; peer++)
      clientOf(message(`::ffff:10.0.${peer >> 8}.${peer & 255}`, '192.0.2.1'))
  }
  t.equal(lines.length, 100)
  t.equal(new Set(lines).size, 100)

  const others: string[] = []
  const fresh = createProxies({ trusted: false, log: { warn: (line) => others.push(line) } })
  for (let peer = 1; peer < 300; peer++) fresh.clientOf(message(`2001:db8::${peer}`, '192.0.2.1'))
  t.equal(others.length, 1, 'the addresses of one network are named once')
  t.match(others[0], /from 2001:db8::1 /)
})

t.test('trusts exactly the addresses of a range, of its own family only', async (t) => {
  const proxies = createProxies({
    trusted: '10.1.2.3/9, ::ffff:192.0.2.0/120, fe80::/10, ::/80',
    log: { warn: () => undefined },
  })
  const isTrusted = (peer: string) => proxies.clientOf(message(peer, '203.0.113.8')) === '203.0.113.8'

  for (const peer of ['10.0.0.0', '::ffff:10.127.255.255', '192.0.2.255', 'fe80::1%eth0', 'febf::1', '::1']) {
    t.ok(isTrusted(peer), peer)
  }
  for (const peer of ['10.128.0.0', '192.0.3.0', '198.51.100.1', '::ffff:198.51.100.1', 'fec0::1', '1::']) {
    t.notOk(isTrusted(peer), peer)
  }
})

t.test('logs the forwarded address or 0.0.0.0 for a connection that is reset at once', async (t) => {
  const service = await build(t, { env: BEHIND_A_PROXY })
  const body = JSON.stringify({ mobile: MOBILE, password: 'wrong' })
  const { hostname, port } = new URL(service.url)

  await until(async () => {
    const socket = connect(Number(port), hostname)
    await once(socket, 'connect')
    socket.write(
      request('POST', '/login', ['Content-Type: application/json', 'X-Forwarded-For: 192.0.2.7'], body),
    )
    socket.resetAndDestroy()
    await once(socket, 'close')
    if (service.actions.length === 0) throw new Error('none was heard yet')
  }, PATIENCE)

  t.ok(service.actions.every(({ ip }) => ['0.0.0.0', '192.0.2.7'].includes(String(ip))))
})

let accounts = 0

/** A failing login of an account that has not failed before, with these X-Forwarded-For headers. */
async function failLogin({ url }: Pick<Service, 'url'>, ...forwarded: string[]): Promise<{ status: number }> {
  const body = JSON.stringify({ mobile: `+861380013${String(1000 + accounts++)}`, password: PASSWORD })
  const headers = ['Content-Type: application/json', ...forwarded.map((value) => `X-Forwarded-For: ${value}`)]
  return until(async () => {
    const { answers } = await exchange(url, request('POST', '/login', headers, body), { answers: 1 })
    const status = answers[0]?.status ?? 503
    // A slow store has not counted this attempt.
    if (status === 503) throw new Error('not now')
    return { status }
  }, PATIENCE)
}

function message(remoteAddress: string, forwarded: string) {
  return {
    socket: { remoteAddress },
    headers: { 'x-forwarded-for': forwarded },
  } as unknown as IncomingMessage
}

/** A logger, and the lines that were written to it. */
function captured() {
  const stream = new PassThrough()
  let text = ''
  stream.on('data', (chunk) => {
    text += chunk
  })
  const lines = () =>
    text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Record<string, unknown>)
  return { log: pino({ level: 'info' }, stream), lines }
}

function canonicalInUrl(address: string): string {
  return new URL(`http://[${address}]`).hostname.slice(1, -1)
}
