import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { OperatorError } from '../refusals/operator-error.js'
import { Refusal } from '../refusals/refusal.js'
import type { Permission, ServiceClient, ServiceClientRows } from '../stores/postgres/service-clients.js'

export type { Permission, ServiceClient } from '../stores/postgres/service-clients.js'

/** What a service client can be allowed, and how a person is told about it. */
export const PERMISSIONS: Record<Permission, string> = {
  introspect: 'ask about tokens (POST /introspect)',
  revoke: 'end the session of a token (POST /revoke)',
  users: 'add, change and disable users (/users)',
}

/** Age of the list, in milliseconds, after which the next use reads it again. */
const READ_AGAIN_AFTER_MS = 1000

/**
 * Age of the list, in milliseconds, after which it authenticates nobody. A removed service client
 * is refused everywhere within this time.
 */
const TRUSTED_FOR_MS = 4000

/**
 * Number of texts that authenticated a service client and are remembered until the list is read
 * again. A service client sends the same text each time.
 */
const REMEMBERED_SPELLINGS = 1000

/** RFC 6749 leaves the form open. These characters need no escaping anywhere. */
const NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/i

/** Compared with the secret of an unknown name, so that the refusal takes the same time. */
const NOBODY = { digest: digestOf(''), client: undefined }

/** What a service client presents: its name, and the secret that only it knows. */
export interface Credentials {
  name: string
  secret: string
}

export type ServiceClients = ReturnType<typeof createServiceClients>

/**
 * The programs with credentials of their own. The list is kept in memory, and read again when it is
 * used, at most once a second. Only the first request after a pause waits for it. A list older than
 * {@link TRUSTED_FOR_MS} authenticates nobody.
 */
export function createServiceClients({ serviceClients }: { serviceClients: ServiceClientRows }) {
  let known = new Map<string, { digest: Buffer; client: ServiceClient }>()
  const recognised = new LRUCache<string, ServiceClient>({ max: REMEMBERED_SPELLINGS })
  let readAt = Number.NEGATIVE_INFINITY
  let reading: Promise<void> | undefined

  return { recall, authenticate, add, remove, all: serviceClients.all }

  /**
   * The service client that the same text authenticated since the list was last read. Undefined is
   * no refusal: {@link authenticate} decides about the text.
   */
  function recall(text: string): ServiceClient | undefined {
    return age() > READ_AGAIN_AFTER_MS ? undefined : recognised.get(text)
  }

  /**
   * The service client with this name and secret. From now on {@link recall} finds it by `text`,
   * which the credentials were parsed from.
   *
   * @throws Refusal `invalid_client`
   * @throws Unavailable when the list is too old and cannot be read.
   */
  async function authenticate({ name, secret }: Credentials, text: string): Promise<ServiceClient> {
    if (age() > TRUSTED_FOR_MS) await readAgain()
    const digest = digestOf(secret)
    let found = matching(name, digest)
    if (age() > READ_AGAIN_AFTER_MS) {
      // A known service client does not wait. An unknown one may just have been added.
      const read = readAgain()
      if (found) read.catch(() => undefined)
      else {
        await read
        found = matching(name, digest)
      }
    }
    if (found) {
      recognised.set(text, found)
      return found
    }
    throw new Refusal('invalid_client', { reason: known.has(name) ? 'wrong secret' : 'unknown client' })
  }

  /**
   * Adds a service client.
   *
   * @returns its secret, 256 random bits. Only a digest of it is stored.
   * @throws OperatorError for a malformed or taken name.
   */
  async function add(name: string, permissions: Permission[]): Promise<string> {
    if (!NAME.test(name)) {
      throw new OperatorError(
        'a client name has up to 64 letters, digits, dots, hyphens and underscores, and begins with a letter or digit',
      )
    }
    const secret = randomBytes(32).toString('base64url')
    const secretDigest = digestOf(secret).toString('base64url')
    if (!(await serviceClients.add({ name, secretDigest, permissions }))) {
      throw new OperatorError(`there is a client ${name} already: remove it, or choose another name`)
    }
    return secret
  }

  /**
   * Removes a service client. Every instance refuses it within {@link TRUSTED_FOR_MS}.
   *
   * @throws OperatorError when there is none of this name.
   */
  async function remove(name: string): Promise<void> {
    if (!(await serviceClients.remove(name))) throw new OperatorError('there is no client of this name')
  }

  function matching(name: string, digest: Buffer): ServiceClient | undefined {
    const { digest: expected, client } = known.get(name) ?? NOBODY
    return timingSafeEqual(digest, expected) ? client : undefined
  }

  /** Age of the list in milliseconds. */
  function age(): number {
    return performance.now() - readAt
  }

  /** Concurrent calls share one read. */
  function readAgain(): Promise<void> {
    reading ??= read().finally(() => {
      reading = undefined
    })
    return reading
  }

  async function read(): Promise<void> {
    // Before the query: its result may still hold a service client that is removed meanwhile.
    const asked = performance.now()
    const clients = await serviceClients.all()
    const digested = clients.map((client) => ({
      digest: Buffer.from(client.secretDigest, 'base64url'),
      client,
    }))
    // timingSafeEqual throws on buffers of different lengths.
    const usable = digested.filter(({ digest }) => digest.length === NOBODY.digest.length)
    known = new Map(usable.map((entry) => [entry.client.name, entry]))
    recognised.clear()
    readAt = asked
  }
}

/** Without salt or a slow hash: nobody can guess 256 random bits. */
function digestOf(secret: string): Buffer {
  return createHash('sha256').update(secret).digest()
}
