import type { IncomingMessage } from 'node:http'
import { BlockList, isIPv4, isIPv6 } from 'node:net'
import type { FastifyRequest } from 'fastify'
import { LRUCache } from 'lru-cache'
import { addressRange, canonicalAddress } from '../addresses/address.js'
import { networkOf } from '../addresses/network.js'

declare module 'fastify' {
  interface FastifyInstance {
    proxies: Proxies
  }
}

/** The caller's address in its canonical spelling, as limits and logs use it. */
export function clientAddress({ server, raw }: Pick<FastifyRequest, 'server' | 'raw'>): string {
  return server.proxies.clientOf(raw)
}

/** The network of a connection's peer, from the address that Node gives. */
export function peerNetwork(remoteAddress: string | undefined): string {
  return networkOf(canonicalAddress(remoteAddress ?? '') ?? GONE)
}

interface Needs {
  /** Addresses and ranges, comma-separated; false trusts no proxy. */
  trusted: string | false
  log: { warn(message: string): void }
}

export type Proxies = ReturnType<typeof createProxies>

/**
 * The unspecified address. It stands for a peer that reset its connection before Node asked the
 * kernel for the address, and for nobody else.
 */
const GONE = '0.0.0.0'

/** One warning per untrusted network in `ttl` milliseconds, about at most `max` networks. */
const STRANGERS = { ttl: 600_000, max: 100 }

/** The same for proxies that write something other than an address: one warning for all of them. */
const MISWRITERS = { ttl: 60_000, max: 1 }

/**
 * The proxies whose X-Forwarded-For is trusted.
 *
 * Fastify's `trustProxy` does not recognise an address with a port. It also skips an empty entry
 * and takes the one before it, which the caller may have forged.
 */
export function createProxies({ trusted, log }: Needs) {
  // One list per family: BlockList also finds an IPv4 address in an IPv6 range such as ::/80.
  const lists = { ipv4: new BlockList(), ipv6: new BlockList() }
  for (const part of trusted ? trusted.split(',') : []) {
    const range = addressRange(part.trim())
    if (range) lists[range.family].addSubnet(range.address, range.prefix, range.family)
  }
  const namesStranger = createOccasions(STRANGERS)
  const namesMiswriter = createOccasions(MISWRITERS)

  return { clientOf, isProxy }

  /**
   * The peer, or the caller that a chain of trusted proxies names. Each proxy appends the address
   * of its peer to X-Forwarded-For, so the header is read from its end.
   */
  function clientOf({ socket, headers }: IncomingMessage): string {
    const peer = canonicalAddress(socket.remoteAddress ?? '')
    if (peer === undefined) return GONE
    const forwarded = headers['x-forwarded-for']
    if (forwarded === undefined) return peer
    if (!isTrusted(peer)) {
      warnOfStranger(peer)
      return peer
    }
    let client = peer
    for (const entry of String(forwarded).split(',').reverse()) {
      const address = addressIn(entry)
      if (address === undefined) {
        warnOfMiswriter(client)
        return client
      }
      client = address
      if (!isTrusted(client)) return client
    }
    return client
  }

  /** Whether a connection's peer is a trusted proxy, by the address that Node gives. */
  function isProxy(remoteAddress: string | undefined): boolean {
    const peer = canonicalAddress(remoteAddress ?? '')
    return peer !== undefined && isTrusted(peer)
  }

  function isTrusted(address: string): boolean {
    const family = isIPv4(address) ? 'ipv4' : 'ipv6'
    return lists[family].check(address, family)
  }

  function warnOfStranger(peer: string): void {
    if (!namesStranger(networkOf(peer))) return
    log.warn(
      `X-Forwarded-For from ${peer} is ignored: if that is a proxy of yours, name it in TRUST_PROXY, ` +
        'or all its clients count as one',
    )
  }

  function warnOfMiswriter(proxy: string): void {
    if (!namesMiswriter('')) return
    log.warn(
      `X-Forwarded-For as ${proxy} writes it names no address: such requests count as from ${proxy} itself`,
    )
  }
}

/** An address with a port, as some proxies write it, or IPv6 in brackets without a port. */
const WITH_PORT = /^\[(.+)\](?::\d{1,5})?$|^([\d.]+):\d{1,5}$/

/** The address in one entry of X-Forwarded-For. */
function addressIn(entry: string): string | undefined {
  const text = entry.trim()
  const [, inBrackets = '', beforePort = text] = WITH_PORT.exec(text) ?? []
  return canonicalAddress(isIPv6(inBrackets) ? inBrackets : beforePort)
}

/** Limits warnings: true once per key in `ttl` milliseconds, for at most `max` keys at a time. */
function createOccasions({ ttl, max }: { ttl: number; max: number }): (key: string) => boolean {
  const spokenOf = new LRUCache<string, true>({ ttl, max })

  return (key) => {
    if (spokenOf.has(key)) return false
    spokenOf.purgeStale()
    if (spokenOf.size === max) return false
    spokenOf.set(key, true)
    return true
  }
}
