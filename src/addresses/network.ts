import { isIPv4 } from 'node:net'
import { canonicalAddress } from './address.js'

/**
 * The network that counts as one subscriber, by what providers usually assign: an IPv4 address, or
 * an IPv6 /64. NAT64 (RFC 6052) puts all IPv4 addresses into one /64, so those count as the IPv4
 * address that they embed.
 *
 * @param address as canonicalAddress spells it.
 * @returns an IPv4 address, or a range in CIDR notation.
 */
export function networkOf(address: string): string {
  if (isIPv4(address)) return address
  const groups = groupsOf(address)
  if (groups.slice(0, 6).join(':') === '64:ff9b:0:0:0:0') {
    return canonicalAddress(`::ffff:${groups.slice(6).join(':')}`) ?? address
  }
  return `${canonicalAddress(`${groups.slice(0, 4).join(':')}::`)}/64`
}

/**
 * The eight groups of a canonical IPv6 address. A dotted IPv4 address at its end counts as one
 * group.
 */
function groupsOf(address: string): string[] {
  const [left = [], right = []] = address.split('::').map((half) => half.split(':').filter(Boolean))
  return [...left, ...Array(8 - left.length - right.length).fill('0'), ...right]
}
