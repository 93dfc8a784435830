import { isIPv4 } from 'node:net'
import { canonicalAddress } from './address.js'

/**
 * What one subscriber is usually given, and so what is counted as one: an IPv4 address, or an
 * IPv6 /64. Behind NAT64 (RFC 6052) all IPv4 addresses share one /64: they count as themselves.
 *
 * @param address as canonicalAddress spells it.
 */
export function networkOf(address: string): string {
  if (isIPv4(address)) return address
  const groups = groupsOf(address)
  if (groups.slice(0, 6).join(':') === '64:ff9b:0:0:0:0') {
    return canonicalAddress(`::ffff:${groups.slice(6).join(':')}`) ?? address
  }
  return `${canonicalAddress(`${groups.slice(0, 4).join(':')}::`)}/64`
}

/** The eight groups of a canonical IPv6 address. An IPv4 address at its end counts as one group. */
function groupsOf(address: string): string[] {
  const [left = [], right = []] = address.split('::').map((half) => half.split(':').filter(Boolean))
  return [...left, ...Array(8 - left.length - right.length).fill('0'), ...right]
}
