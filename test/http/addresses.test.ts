import { isIPv4 } from 'node:net'
import t from 'tap'
import { addressRange, canonicalAddress } from '../../src/addresses/address.js'
import { networkOf } from '../../src/addresses/network.js'
import { createRandom } from '../faults/random.js'

const random = createRandom(1)

/** Groups of an IPv6 address. Many are zero, because spellings differ in how they shorten zeros. */
function randomGroups(): number[] {
  return Array.from({ length: 8 }, () => random.pick([0, 0, 0, 1, 0xff, 0xffff, random.integer(0, 0xffff)]))
}

function randomIpv4(): string {
  return Array.from({ length: 4 }, () => random.pick([0, 1, 10, 255, random.integer(0, 255)])).join('.')
}

/** Ways to write these groups: every `::`, more zeros, upper case, a dotted end, a zone. */
function spellingsOf(groups: number[]): string[] {
  const spellings = [groups.map((group) => group.toString(16)).join(':')]
  for (let start = 0; start < 8; start++) {
    for (let end = start + 1; end <= 8 && groups.slice(start, end).every((group) => group === 0); end++) {
      const [left, right] = [groups.slice(0, start), groups.slice(end)].map((half) =>
        half.map((group) => group.toString(16)).join(':'),
      )
      spellings.push(`${left}::${right}`)
    }
  }
  const padded = groups.map((group) => group.toString(16).padStart(4, '0'))
  const dotted = [6, 7].flatMap((index) => [(groups[index] ?? 0) >> 8, (groups[index] ?? 0) & 255]).join('.')
  spellings.push(padded.join(':'), `${padded.slice(0, 6).join(':')}:${dotted}`)
  return spellings.flatMap((text) => [text, text.toUpperCase(), `${text}%eth0`])
}

t.test('maps all spellings of an IPv6 address to one canonical form, which maps to itself', async (t) => {
  const wrong = []
  for (let round = 0; round < 3000; round++) {
    const groups = randomGroups()
    const spellings = spellingsOf(groups)
    const forms = new Set(spellings.map(canonicalAddress))
    const [form = ''] = forms
    if (forms.size !== 1 || canonicalAddress(form) !== form || form !== form.toLowerCase()) {
      wrong.push({ groups, forms: [...forms] })
    }
  }

  t.strictSame(wrong, [])
})

t.test('keeps different IPv6 addresses apart, and writes them as URLs do', async (t) => {
  const wrong = []
  for (let round = 0; round < 3000; round++) {
    const groups = randomGroups()
    const [spelling = ''] = spellingsOf(groups)
    const form = canonicalAddress(spelling) ?? ''
    const standard = new URL(`http://[${spelling}]`).hostname
    const back = isIPv4(form) ? `::ffff:${form}` : form
    if (new URL(`http://[${back}]`).hostname !== standard) wrong.push({ spelling, form })
    if (!form.includes('.') && `[${form}]` !== standard) wrong.push({ spelling, form, standard })
  }

  t.strictSame(wrong, [])
})

t.test(
  'maps an IPv4 address and all spellings of its IPv4-mapped IPv6 address to the IPv4 address',
  async (t) => {
    const wrong = []
    for (let round = 0; round < 1000; round++) {
      const address = randomIpv4()
      const [a = 0, b = 0, c = 0, d = 0] = address.split('.').map(Number)
      for (const spelling of [address, ...spellingsOf([0, 0, 0, 0, 0, 0xffff, a * 256 + b, c * 256 + d])]) {
        if (canonicalAddress(spelling) !== address) wrong.push({ spelling, form: canonicalAddress(spelling) })
      }
    }

    t.strictSame(wrong, [])
  },
)

t.test('rejects addresses that programs parse differently or not at all', async (t) => {
  const none = [
    '',
    ' ',
    'unknown',
    '_hidden',
    'localhost',
    '010.0.0.1',
    '10.0.0.01',
    '1.1',
    '16909060',
    '0x1.2.3.4',
    '1.2.3.4.5',
    '1.2.3',
    '256.0.0.1',
    '1.2.3.4 ',
    '1.2.3.4\n',
    '1.2.3.4%eth0',
    '1.2.3.4/32',
    '1.2.3.4:80',
    '１.2.3.4',
    '[::1]',
    ':::',
    '::1::',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    'fe80::1%',
    'fe80::1%a b',
    '::ffff:01.2.3.4',
    '12345::',
    '::g',
  ]

  for (const text of none) t.equal(canonicalAddress(text), undefined, JSON.stringify(text))
})

t.test('puts two IPv6 addresses in one network exactly where their first 64 bits are the same', async (t) => {
  const wrong = []
  for (let round = 0; round < 3000; round++) {
    const first = [...randomGroups().slice(0, 4), 1, 2, 3, 4]
    const second = [...(random.chance(0.5) ? first : randomGroups()).slice(0, 4), ...randomGroups().slice(4)]
    if (second.slice(0, 5).every((group) => group === 0)) continue
    const [one, other] = [first, second].map((groups) =>
      networkOf(canonicalAddress(groups.map((group) => group.toString(16)).join(':')) ?? ''),
    )
    const alike = first.slice(0, 4).join() === second.slice(0, 4).join()
    if ((one === other) !== alike) wrong.push({ first, second, one, other })
    const [address = ''] = one?.split('/') ?? []
    if (!one?.endsWith('::/64') || canonicalAddress(address) !== address) wrong.push({ one })
  }

  t.strictSame(wrong, [])
})

t.test('finds the network of an IPv4 address, of an IPv6 address and of a NAT64 address', async (t) => {
  const networks: Record<string, string> = {
    '203.0.113.8': '203.0.113.8',
    '2001:db8::1': '2001:db8::/64',
    '2001:db8:0:0:1::': '2001:db8::/64',
    '2001:db8:0:1::1': '2001:db8:0:1::/64',
    '1:2:3:4:5:6:7:8': '1:2:3:4::/64',
    '1::4:5:6:7:8': '1:0:0:4::/64',
    'fe80::1%eth0': 'fe80::/64',
    '::1': '::/64',
    '64:ff9b::203.0.113.8': '203.0.113.8',
    '64:ff9b::': '0.0.0.0',
    '64:ff9b::1:203.0.113.8': '64:ff9b::/64',
    '64:ff9b:1::203.0.113.8': '64:ff9b:1::/64',
  }

  for (const [address, network] of Object.entries(networks)) {
    t.equal(networkOf(canonicalAddress(address) ?? ''), network, address)
  }
})

t.test('parses address ranges and rejects malformed ones', async (t) => {
  const ranges: Record<string, string | undefined> = {
    '10.0.0.1': '10.0.0.1/32 ipv4',
    '10.1.2.3/8': '10.1.2.3/8 ipv4',
    '0.0.0.0/0': '0.0.0.0/0 ipv4',
    'FD00::/8': 'fd00::/8 ipv6',
    '::1': '::1/128 ipv6',
    '::ffff:10.0.0.1': '10.0.0.1/32 ipv4',
    '::ffff:10.0.0.0/104': '10.0.0.0/8 ipv4',
    '::ffff:a00:0/128': '10.0.0.0/32 ipv4',
    '::ffff:0:0/96': '0.0.0.0/0 ipv4',
    '::ffff:10.0.0.0/8': '10.0.0.0/0 ipv4',
    '10.0.0.0/08': undefined,
    '10.0.0.0/33': undefined,
    '10.0.0.0/-1': undefined,
    '10.0.0.0/': undefined,
    '10.0.0.0/255.0.0.0': undefined,
    '10.0.0.0 /8': undefined,
    '::/129': undefined,
    'fe80::1%eth0': undefined,
    'fe80::%eth0/64': undefined,
    '[::1]': undefined,
    '': undefined,
  }

  for (const [text, expected] of Object.entries(ranges)) {
    const range = addressRange(text)
    t.equal(range && `${range.address}/${range.prefix} ${range.family}`, expected, JSON.stringify(text))
  }
})
