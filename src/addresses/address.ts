import { isIP, isIPv4, isIPv6, SocketAddress } from 'node:net'

/**
 * The one spelling of an IP address: IPv4 as four decimal numbers, IPv6 as RFC 5952 writes it and
 * without its zone, which means something on one machine only. An IPv4-mapped IPv6 address
 * (`::ffff:192.0.2.1`) is the IPv4 address.
 *
 * @returns undefined for what is no address. `010.0.0.1` and `1.1` are none: programs disagree on
 *   what they mean.
 */
export function canonicalAddress(text: string): string | undefined {
  if (isIP(text) === 0) return undefined
  if (isIPv4(text)) return text
  // Without the zone, with which some spellings are too long for SocketAddress.
  const [zoneless = ''] = text.split('%', 1)
  const { address } = new SocketAddress({ address: zoneless, family: 'ipv6' })
  const mapped = address.replace('::ffff:', '')
  return isIPv4(mapped) ? mapped : address
}

/** Neighbouring addresses: those that share the first `prefix` bits of a canonical address. */
export interface AddressRange {
  readonly address: string
  readonly family: 'ipv4' | 'ipv6'
  readonly prefix: number
}

/** An address without zone, and how many of its bits count. */
const RANGE = /^([^/%]+)(?:\/(0|[1-9]\d{0,2}))?$/

/** Bits of an IPv4-mapped IPv6 address before those of the IPv4 address. */
const MAPPING_BITS = 96

/**
 * Reads an address, or a range in CIDR notation. Bits beyond the prefix do not matter.
 *
 * @returns undefined for what is neither.
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
