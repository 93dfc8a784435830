import { execFileSync } from 'node:child_process'
import { Cluster, Redis } from 'ioredis'
import { findProgram, until } from '../../support/servers.js'
import { kindsOf, type Round } from '../round.js'
import { fault, type Scenario } from '../scenario.js'
import { createRedisServer, type RestartableStore } from '../stores.js'

/**
 * A node counts as failed after this much silence, in milliseconds. Its replica may then take over.
 */
const NODE_TIMEOUT_MS = 1000

/**
 * How long an election may take beyond the timeout, in milliseconds. It is held again if two
 * replicas compete.
 */
const FAILOVER_LIMIT_MS = 20_000

/** Row 11: a cluster of three masters and three replicas loses a master. */
export function clusterRow(): Scenario {
  let nodes: RestartableStore[] = []
  let lost = new Set<number>()
  return fault({
    number: 11,
    name: 'a Redis Cluster loses a master',
    impossible: () => (findProgram('redis-cli') ? undefined : 'redis-cli is not installed'),
    lastsMs: NODE_TIMEOUT_MS,
    world: {
      instance: { env: { REDIS_MODE: 'cluster' } },
      through: async ({ postgres }) => {
        nodes = await createCluster()
        return { databaseUrl: postgres.url, redisUrl: nodes.map(({ url }) => url).join() }
      },
    },
    inject: async (round) => {
      const [victim] = nodes
      if (!victim) return
      lost = await usersOn(victim, round)
      await victim.kill()
    },
    // The fault is over when every node knows that a replica serves the slots, however long that
    // takes.
    heal: async ({ world }) => {
      const [victim, ...left] = nodes
      const requireAgreement = () => {
        for (const { port } of left) {
          requireAllSlots(port)
          // Before the failure is noticed, the slots still count as served.
          requireNoSlots(port, victim?.port)
        }
      }
      await until(requireAgreement, { withinMs: FAILOVER_LIMIT_MS })
      // The harness reads the entries after the load, with a connection that is newer than the
      // fault.
      const others = nodes.slice(1).map(({ port }) => ({ host: '127.0.0.1', port }))
      world.redisClient.disconnect()
      world.redisClient = new Cluster(others) as unknown as Redis
      world.redisClient.on('error', () => undefined)
    },
    also: async ({ load, from }) => {
      for (const node of nodes) await node.dispose()
      const others = load.history.filter(
        ({ outcome, user, invoked }) => outcome === 'unavailable' && invoked > from && !lost.has(user),
      )
      return [
        ...(lost.size === 0 ? ['the node that was killed held no user'] : []),
        ...(others.length > 0
          ? [`${others.length} requests of users on other nodes were refused (${kindsOf(others)})`]
          : []),
      ]
    },
  })
}

async function createCluster(): Promise<RestartableStore[]> {
  // Without cluster-require-full-coverage no, every node stops answering while one range of slots
  // has no master.
  const args = [
    ...['--cluster-enabled', 'yes', '--cluster-node-timeout', String(NODE_TIMEOUT_MS)],
    ...['--cluster-require-full-coverage', 'no'],
    // By default a replica starts to copy its master after five seconds, and may not take over
    // before.
    ...['--repl-diskless-sync-delay', '0'],
  ]
  const nodes = await Promise.all(Array.from({ length: 6 }, () => createRedisServer(args)))
  await Promise.all(nodes.map((node) => node.start()))
  const addresses = nodes.map(({ port }) => `127.0.0.1:${port}`)
  execFileSync('redis-cli', ['--cluster', 'create', ...addresses, '--cluster-replicas', '1', '--cluster-yes'])
  await until(() => {
    for (const { port } of nodes) {
      requireAllSlots(port)
      requireCaughtUp(port)
    }
  })
  return nodes
}

/** @throws Error while this node knows of slots that are not served */
function requireAllSlots(port: number): void {
  const info = ask(port, 'cluster', 'info')
  if (!info.includes('cluster_state:ok') || !info.includes('cluster_slots_ok:16384')) {
    throw new Error(`the cluster is not complete: ${info}`)
  }
}

/** @throws Error while this node knows of slots that are served at `servedAt` */
function requireNoSlots(port: number, servedAt: number | undefined): void {
  const nodes = ask(port, 'cluster', 'nodes')
  const serves = nodes.split('\n').some((line) => line.includes(`:${servedAt}@`) && / \d+-\d+/.test(line))
  if (serves) throw new Error(`slots are still looked for at the lost node: ${nodes}`)
}

/** @throws Error while this node is a replica that has not copied its master */
function requireCaughtUp(port: number): void {
  const replication = ask(port, 'info', 'replication')
  if (replication.includes('master_link_status:down')) throw new Error(`not caught up: ${replication}`)
}

function ask(port: number, ...command: string[]): string {
  return execFileSync('redis-cli', ['-p', String(port), ...command], { encoding: 'utf8' })
}

/** The users whose entries are on this node. */
async function usersOn({ url }: RestartableStore, { world }: Round): Promise<Set<number>> {
  const node = new Redis(url)
  const slots = (await node.cluster('SLOTS')).filter(([, , master]) => url.endsWith(`:${master?.[1]}`))
  const held = new Set<number>()
  for (const { id } of world.users) {
    const slot = await node.cluster('KEYSLOT', `jwt_token:${id}`)
    if (slots.some(([from, to]) => slot >= from && slot <= to)) held.add(id)
  }
  node.disconnect()
  return held
}
