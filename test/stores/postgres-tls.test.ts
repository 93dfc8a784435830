import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { startPostgres, unprivilegedUser } from '../support/servers.js'
import { runCli, temporaryDirectory } from '../support/service-process.js'

t.test('PostgreSQL over TLS', async (t) => {
  const { url, certificate } = await startPostgresWithTls(t)
  const migrate = (query: string) =>
    runCli(['migrate'], { DATABASE_URL: url + query, REDIS_URL: 'redis://127.0.0.1:1' })

  t.test('0 where the certificate is the one that is trusted', async (t) => {
    const { code, stderr } = await migrate(`?sslmode=verify-full&sslrootcert=${certificate}`)
    t.equal(code, 0, stderr)
  })

  for (const mode of ['require', 'verify-full']) {
    t.test(`1 at once for ${mode} where nobody vouches for it`, async (t) => {
      const { code, stdout, stderr } = await migrate(`?sslmode=${mode}`)
      t.equal(code, 1)
      t.match(stderr, /PostgreSQL refuses the connection: .*self.signed certificate/i)
      t.notMatch(stdout, 'waiting for')
    })
  }

  t.test('0 for no-verify, which asks nobody', async (t) => {
    const { code, stderr } = await migrate('?sslmode=no-verify')
    t.equal(code, 0, stderr)
  })
})

t.test('1 at once where PostgreSQL speaks no TLS and must', async (t) => {
  const server = await startPostgres()
  t.teardown(server.stop)
  const DATABASE_URL = `${server.url}?sslmode=verify-full`
  const { code, stdout, stderr } = await runCli(['migrate'], {
    DATABASE_URL,
    REDIS_URL: 'redis://127.0.0.1:1',
  })
  t.equal(code, 1)
  t.match(stderr, /PostgreSQL refuses the connection: the server does not speak TLS/)
  t.notMatch(stdout, 'waiting for')
})

async function startPostgresWithTls(t: Test) {
  const directory = temporaryDirectory()
  chmodSync(directory, 0o755)
  const key = join(directory, 'key.pem')
  const certificate = join(directory, 'certificate.pem')
  execFileSync(
    'openssl',
    // An address to be known by, and a day to live.
    ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', '-subj', '/CN=127.0.0.1'].concat([
      '-addext',
      'subjectAltName=IP:127.0.0.1',
      '-keyout',
      key,
      '-out',
      certificate,
    ]),
    { stdio: 'ignore' },
  )
  chmodSync(key, 0o600)
  // The server runs as a user of its own, and reads no key that others could.
  const as = unprivilegedUser()
  if (as) chownSync(key, as.uid, as.gid)
  const server = await startPostgres({
    args: ['-c', 'ssl=on', '-c', `ssl_key_file=${key}`, '-c', `ssl_cert_file=${certificate}`],
  })
  t.teardown(server.stop)
  return { url: server.url, certificate }
}
