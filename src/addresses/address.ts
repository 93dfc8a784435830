import { isIP, isIPv4, isIPv6, SocketAddress } from 'node:net'

/**
 * The canonical spelling of an IP address: IPv4 in dotted decimal, IPv6 as in RFC 5952 and without
 * its zone, which has a meaning on one machine only. An IPv4-mapped IPv6 address
 * (`::ffff:192.0.2.1`) becomes the IPv4 address.
 *
 * @returns undefined if the text is not an address. `010.0.0.1` and `1.1` are not: programs
 *   disagree on what they mean.
 */
export function canonicalAddress(text: string): string | undefined {
  if (isIP(text) === 0) return undefined
  if (isIPv4(text)) return text
  // With the zone, some spellings are too long for SocketAddress.
  const [zoneless = ''] = text.split('%', 1)
  const { address } = new SocketAddress({ address: zoneless, family: 'ipv6' })
  const mapped = address.replace('::ffff:', '')
  return isIPv4(mapped) ? mapped : address
}

/** A CIDR range: the addresses that share the first `prefix` bits of a canonical address. */
export interface AddressRange {
  readonly address: string
  readonly family: 'ipv4' | 'ipv6'
  readonly prefix: number
}

/** An address without zone, and optionally a prefix length. */
const RANGE = /^([^/%]+)(?:\/(0|[1-9]\d{0,2}))?$/

/** Bits of an IPv4-mapped IPv6 address that precede the IPv4 address. */
const MAPPING_BITS = 96

/**
 * Reads an address, or a range in CIDR notation. Bits beyond the prefix are ignored.
 *
 * @returns undefined if the text is neither.
 */
export function addressRange(text: string): AddressRange | undefined {
  const [, written = '', bits] = RANGE.exec(text) ?? []
  const address = canonicalAddress(written)
  const length = isIPv6(written) ? 128 : 32
  const prefix = bits === undefined ? length : Number(bits)
  if (address === undefined || prefix > length) return undefined
  if (isIPv6(address)) return { address, family: 'ipv6', prefix }
  return { address, family: 'ipv4', prefix: Math.max(0, length === 128 ? prefix - MAPPING_BITS : prefix) }
}
