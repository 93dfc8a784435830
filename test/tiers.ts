/**
 * Groups the test files into tiers, with the programs that each tier needs. A file that no tier
 * names belongs to the default one, which `npm test` runs. The others are `npm run test:<tier>`.
 * docs/testing.md says how long each takes.
 */
import { readdirSync } from 'node:fs'
import { type Program, STORES } from './support/programs.js'

interface Tier {
  about: string
  files: string[]
  needs: Program[]
}

export const TIERS = {
  default: {
    about: 'rules, routes and stores',
    files: [],
    needs: [...STORES, 'openssl'],
  },
  processes: {
    about: 'the built program: its commands, how it starts, listens, stops and follows files',
    files: [
      'test/commands/',
      'test/process/',
      'test/config/exposure.test.ts',
      'test/http/listeners.test.ts',
      'test/http/shutdown.test.ts',
      'test/logs/action-log-disk.test.ts',
      'test/logs/action-log-rotation.test.ts',
      'test/tokens/embedded-key.test.ts',
      'test/tokens/keys-restarts.test.ts',
      'test/tokens/keys-rotation.test.ts',
      'test/tokens/keys-sighup.test.ts',
    ],
    needs: [...STORES, 'openssl', 'strace', 'psql', 'git', 'curl'],
  },
  topologies: {
    about: 'Redis Cluster and Sentinel, PgBouncer, stores with the fewest rights',
    files: [
      'test/stores/infrastructure.test.ts',
      'test/stores/least-privilege.test.ts',
      'test/stores/redis-tls-topologies.test.ts',
      'test/stores/topologies.test.ts',
    ],
    needs: [...STORES, 'openssl', 'pgbouncer', 'psql', 'redis-cli'],
  },
  volume: {
    about: 'what only many of a kind show: random keys, connections, races, times, shares of hashing',
    files: [
      'test/config/random-secrets.test.ts',
      'test/http/many-connections.test.ts',
      'test/http/users-conflicts.test.ts',
      'test/http/users-races.test.ts',
      'test/passwords/hashing-shares.test.ts',
      'test/passwords/timing.test.ts',
      'test/sessions/races.test.ts',
    ],
    needs: STORES,
  },
  clients: {
    about: 'what sibling services install, in Node.js, Flask and generated clients',
    files: ['test/clients/', 'test/openapi/generated-client.test.ts', 'test/openapi/generators.test.ts'],
    needs: [...STORES, 'openssl', 'flask', 'urllib3'],
  },
  gateways: {
    about: 'the examples, with the gateways themselves',
    files: ['test/gateways/'],
    needs: [...STORES, 'nginx', 'caddy', 'haproxy', 'apache2', 'mod_auth_openidc.so'],
  },
  browser: {
    about: 'Swagger UI in Chromium',
    files: ['test/openapi/swagger-ui.test.ts', 'test/openapi/swagger-ui-prefix.test.ts'],
    needs: [...STORES, 'chromium', 'nginx'],
  },
} satisfies Record<string, Tier>

export type TierName = keyof typeof TIERS

/** Files of the default tier that judge how fast the service answers, so each runs alone. */
export const ALONE = [
  'test/http/identify-answers.test.ts',
  'test/http/outage.test.ts',
  'test/http/users-outage.test.ts',
  'test/passwords/give-way.test.ts',
  'test/passwords/passwords.test.ts',
  'test/stores/postgres-connections.test.ts',
]

/** Every test file, relative to the project, like all files here. */
export function testFiles(): string[] {
  const paths = readdirSync(new URL('.', import.meta.url), { recursive: true, encoding: 'utf8' })
  return paths
    .filter((path) => path.endsWith('.test.ts'))
    .map((path) => `test/${path}`)
    .sort()
}

export function tierOf(file: string): TierName {
  const names = Object.keys(TIERS) as TierName[]
  return names.find((name) => holds(TIERS[name], file)) ?? 'default'
}

/** Whether nothing else of the run may keep the processor from it. */
export function isAlone(file: string): boolean {
  return tierOf(file) !== 'default' || ALONE.includes(file)
}

export function holds({ files }: Pick<Tier, 'files'>, file: string): boolean {
  return files.some((path) => (path.endsWith('/') ? file.startsWith(path) : file === path))
}
