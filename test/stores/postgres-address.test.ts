import { readFileSync } from 'node:fs'
import t from 'tap'
import { targetOf } from '../../src/stores/postgres/address.js'
import { createAuthority } from '../support/certificates.js'

const { certificate, key } = createAuthority()
const [ca, cert, privateKey] = [certificate, certificate, key].map((path) => readFileSync(path, 'utf8'))

const PLAIN = { host: 'db', port: 5432, ssl: false, connection: {} }
const VERIFIED = { host: 'db', servername: 'db' }

t.test('translates a URL for the driver', async (t) => {
  const meanings: Record<string, object> = {
    'postgres://db': PLAIN,
    'postgresql://me:p%40ss@db:6432/au%20th': {
      ...PLAIN,
      port: 6432,
      user: 'me',
      password: 'p@ss',
      database: 'au th',
    },
    'postgres://me:a@db/auth?host=other&port=5433&user=you&password=b': {
      host: 'other',
      port: 5433,
      user: 'you',
      password: 'b',
      database: 'auth',
      ssl: false,
      connection: {},
    },
    'postgres://[::1]:5433/auth': { ...PLAIN, host: '::1', port: 5433, database: 'auth' },
    'postgres://%2Fvar%2Frun/auth': {
      ...PLAIN,
      host: '/var/run',
      path: '/var/run/.s.PGSQL.5432',
      database: 'auth',
    },
    'postgres://db/auth?host=/tmp&port=5433': {
      host: '/tmp',
      port: 5433,
      path: '/tmp/.s.PGSQL.5433',
      database: 'auth',
      ssl: false,
      connection: {},
    },
    'postgres://db?application_name=mine&options=-c%20search_path%3Dauth&connect_timeout=3': {
      ...PLAIN,
      connection: { application_name: 'mine', options: '-c search_path=auth' },
    },
  }
  for (const [url, meaning] of Object.entries(meanings)) t.strictSame(targetOf({ url }), meaning, url)
})

t.test('uses TLS as the parameters ask for it, and never less', async (t) => {
  const meanings: Record<string, object | false> = {
    '': false,
    'sslmode=disable': false,
    'ssl=0': false,
    'ssl=true&sslmode=disable': false,
    'sslmode=allow': VERIFIED,
    'sslmode=prefer': VERIFIED,
    'sslmode=require': VERIFIED,
    'sslmode=verify-ca': VERIFIED,
    'sslmode=verify-full': VERIFIED,
    'ssl=true': VERIFIED,
    'ssl=1': VERIFIED,
    'sslrootcert=system': VERIFIED,
    'sslmode=no-verify': { ...VERIFIED, rejectUnauthorized: false },
    'ssl=no-verify': { ...VERIFIED, rejectUnauthorized: false },
    'ssl=no-verify&sslmode=require': VERIFIED,
    [`sslrootcert=${certificate}`]: { ...VERIFIED, ca },
    [`sslmode=verify-full&sslrootcert=${certificate}`]: { ...VERIFIED, ca },
    [`sslmode=require&sslcert=${certificate}&sslkey=${key}`]: { ...VERIFIED, cert, key: privateKey },
  }
  for (const [query, meaning] of Object.entries(meanings)) {
    t.strictSame(targetOf({ url: `postgres://db/auth?${query}` }).ssl, meaning, query)
  }
  for (const address of ['127.0.0.1', '[::1]']) {
    const { ssl } = targetOf({ url: `postgres://${address}/auth?sslmode=verify-full` })
    t.strictSame(ssl, { host: address.replace(/[[\]]/g, '') }, 'an address is no name for SNI')
  }
})

t.test('connects to the embedded database through its socket', async (t) => {
  t.strictSame(targetOf({ socketPath: '/data/postgres.sock' }), {
    path: '/data/postgres.sock',
    user: 'postgres',
    database: 'postgres',
    ssl: false,
    connection: {},
  })
})

t.test('names the parameter whose file is missing since the start', async (t) => {
  t.throws(
    () => targetOf({ url: 'postgres://db?sslrootcert=/no/such/file' }),
    /its sslrootcert cannot be read/,
  )
})
