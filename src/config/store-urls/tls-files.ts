import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'

/**
 * Certificates and a key, in PEM. Without `ca`, the authorities that Node.js trusts: its own list,
 * NODE_EXTRA_CA_CERTS, and with --use-openssl-ca or --use-system-ca those of the machine.
 */
export interface TlsFiles {
  ca?: string
  cert?: string
  key?: string
}

/** Reports what is wrong with a setting, in words that follow its name and a colon. */
export type Complain = (problem: string) => void

/** The parameters of a URL that name the files, as libpq calls them, and Node.js's names. */
const PARAMETERS = { sslrootcert: 'ca', sslcert: 'cert', sslkey: 'key' } as const

/** The value of sslrootcert for public authorities, as libpq spells it. */
const TRUSTED_BY_NODE = 'system'

export const TLS_PARAMETERS = Object.keys(PARAMETERS)

/** Reads the files that the parameters of one URL name, or of several that agree. */
export function readTlsFiles(parameters: URLSearchParams[], complain: Complain): TlsFiles {
  const files: TlsFiles = {}
  for (const [name, use] of Object.entries(PARAMETERS)) {
    const [path, ...others] = new Set(parameters.flatMap((each) => each.getAll(name)))
    if (others.length > 0) complain(`names several files as ${name}: there can be one`)
    if (path === undefined || (name === 'sslrootcert' && path === TRUSTED_BY_NODE)) continue
    try {
      files[use] = readFileSync(path, 'utf8')
    } catch (error) {
      complain(`its ${name} cannot be read (${(error as NodeJS.ErrnoException).code})`)
      return {}
    }
  }
  if ((files.cert === undefined) !== (files.key === undefined)) complain('needs both sslcert and sslkey')
  else if (!areUsable(files))
    complain(`has files that are not what ${TLS_PARAMETERS.join(', ')} should be, in PEM`)
  return files
}

function areUsable(files: TlsFiles): boolean {
  try {
    createSecureContext(files)
    // Node.js ignores an authority that it cannot read, and then trusts none.
    if (files.ca !== undefined) new X509Certificate(files.ca)
    return true
  } catch {
    return false
  }
}
