import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import postgres from 'postgres'
import t, { type Test } from 'tap'
import { type Authority, createAuthority } from '../support/certificates.js'
import { startPostgres } from '../support/servers.js'
import { runCli } from '../support/service-process.js'

t.test('PostgreSQL over TLS', async (t) => {
  const authority = createAuthority()
  const url = await startPostgresWithTls(t, authority)
  const trusted = `sslrootcert=${authority.certificate}`
  const migrate = (query: string) =>
    runCli(['migrate'], { DATABASE_URL: `${url}?${query}`, REDIS_URL: 'redis://127.0.0.1:1' })
  const refused = async (t: Test, query: string, why: RegExp) => {
    const { code, stdout, stderr } = await migrate(query)
    t.equal(code, 1)
    t.match(stderr, why)
    t.notMatch(stdout, 'waiting for')
  }

  t.test('exit 0 where a trusted authority has issued the certificate', async (t) => {
    const { code, stderr } = await migrate(`sslmode=verify-full&${trusted}`)
    t.equal(code, 0, stderr)
  })

  for (const mode of ['require', 'verify-full']) {
    t.test(`exit 1 at once for sslmode=${mode} where the authority is not trusted`, (t) =>
      refused(t, `sslmode=${mode}`, /PostgreSQL refuses: .*(certificate|issuer)/i),
    )
  }

  t.test('exit 1 at once where the certificate is for another name', (t) =>
    refused(t, `host=localhost&sslmode=require&${trusted}`, /PostgreSQL refuses.* ERR_TLS_CERT_ALTNAME/),
  )

  t.test('exit 0 for sslmode=no-verify, which trusts every certificate', async (t) => {
    const { code, stderr } = await migrate('sslmode=no-verify')
    t.equal(code, 0, stderr)
  })

  t.test('exit 0 with a client certificate where one is required, exit 1 without', async (t) => {
    const { certificate, key } = authority.issue('DNS:client')
    const as = 'sslmode=verify-full&user=certified'
    const own = `sslcert=${certificate}&sslkey=${key}`

    await refused(t, `${as}&${trusted}`, /PostgreSQL refuses.* 28000 .*certificate/)
    const { code, stderr } = await migrate(`${as}&${trusted}&${own}`)
    t.equal(code, 0, stderr)
  })
})

t.test('exit 1 at once for sslmode=verify-full where PostgreSQL does not speak TLS', async (t) => {
  const server = await startPostgres()
  t.teardown(server.stop)
  const DATABASE_URL = `${server.url}?sslmode=verify-full`
  const { code, stdout, stderr } = await runCli(['migrate'], {
    DATABASE_URL,
    REDIS_URL: 'redis://127.0.0.1:1',
  })
  t.equal(code, 1)
  t.match(stderr, /PostgreSQL refuses: the server does not speak TLS/)
  t.notMatch(stdout, 'waiting for')
})

/** A PostgreSQL that speaks TLS, and requires a certificate of the user `certified`. */
async function startPostgresWithTls(t: Test, authority: Authority): Promise<string> {
  const { certificate, key } = authority.issue('IP:127.0.0.1')
  const rules = join(dirname(certificate), 'hba.conf')
  writeFileSync(
    rules,
    'hostssl all certified 127.0.0.1/32 trust clientcert=verify-ca\nhostssl all all 127.0.0.1/32 trust\n' +
      'host all postgres 127.0.0.1/32 trust\n',
  )
  const server = await startPostgres({
    args: ['ssl=on', `ssl_key_file=${key}`, `ssl_cert_file=${certificate}`]
      .concat([`ssl_ca_file=${authority.certificate}`, `hba_file=${rules}`])
      .flatMap((setting) => ['-c', setting]),
  })
  t.teardown(server.stop)
  const sql = postgres(server.url, { max: 1 })
  await sql`create role certified login superuser`
  await sql.end()
  return server.url
}
