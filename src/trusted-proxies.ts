import { BlockList, isIPv4 } from 'node:net'

/** Whether a peer is one of the proxies of the platform, by its address. */
export type IsProxy = (address: string | undefined) => boolean

/** @param setting addresses and CIDR ranges, comma-separated, as TRUST_PROXY has them. */
export function trustedProxies(setting: string | false): IsProxy {
  if (setting === false) return () => false
  const proxies = new BlockList()
  for (const range of setting.split(',')) {
    const [address = '', bits] = range.trim().split('/')
    const family = familyOf(address)
    proxies.addSubnet(address, Number(bits ?? (family === 'ipv4' ? 32 : 128)), family)
  }
  return (address) => address !== undefined && proxies.check(address, familyOf(address))
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIPv4(address) ? 'ipv4' : 'ipv6'
}
