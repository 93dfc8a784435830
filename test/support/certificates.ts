import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { unprivilegedUser } from './servers.js'
import { temporaryDirectory } from './service-process.js'

/** A certificate and its key, by their files. */
export interface Certificate {
  certificate: string
  key: string
}

export interface Authority extends Certificate {
  /**
   * A certificate for these names (`IP:127.0.0.1`, `DNS:localhost`), valid for this many days. It
   * has expired where `days` is negative.
   */
  issue(names: string, days?: number): Certificate
}

/**
 * An authority of the test's own, whose certificates a server that runs as another user can read.
 */
export function createAuthority(): Authority {
  const directory = temporaryDirectory()
  chmodSync(directory, 0o755)
  const own = files('authority')
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout']
  openssl('req', '-x509', ...newKey, own.key, '-out', own.certificate, '-days', '1', '-subj', '/CN=authority')
  let issued = 0
  return { ...own, issue }

  function issue(names: string, days = 1): Certificate {
    const made = files(`server-${++issued}`)
    const [request, extensions] = [join(directory, 'request.pem'), join(directory, 'extensions')]
    openssl('req', ...newKey, made.key, '-out', request, '-subj', '/CN=server')
    writeFileSync(extensions, `subjectAltName=${names}\n`)
    const by = ['-CA', own.certificate, '-CAkey', own.key, '-CAcreateserial', '-extfile', extensions]
    openssl('x509', '-req', '-in', request, ...by, '-days', String(days), '-out', made.certificate)
    chmodSync(made.key, 0o600)
    // PostgreSQL refuses a key that others can read.
    const as = unprivilegedUser()
    if (as) chownSync(made.key, as.uid, as.gid)
    return made
  }

  function files(name: string): Certificate {
    return { certificate: join(directory, `${name}.pem`), key: join(directory, `${name}-key.pem`) }
  }
}

function openssl(...args: string[]): void {
  execFileSync('openssl', args, { stdio: 'ignore' })
}
