import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { OperatorError } from '../refusals/operator-error.js'
import { Refusal } from '../refusals/refusal.js'
import type { Permission, ServiceClient, ServiceClientRows } from '../stores/postgres/service-clients.js'

export type { Permission, ServiceClient } from '../stores/postgres/service-clients.js'

/** What a client can be allowed, and what a person is told about it. */
export const PERMISSIONS: Record<Permission, string> = {
  introspect: 'ask about tokens (POST /introspect)',
  revoke: 'end the session of a token (POST /revoke)',
  users: 'add, change and disable users (/users)',
}

/** Once the list of clients is older than this, in milliseconds, the next use has it read again behind the answer. */
const READ_AGAIN_AFTER_MS = 1000

/** Nobody is authenticated by a list that is older than this: a removed client is refused everywhere within the time. */
const TRUSTED_FOR_MS = 4000

/** Spellings of right credentials that are known until the list is read again: a client sends the same one each time. */
const REMEMBERED_SPELLINGS = 1000

/** RFC 6749 leaves the form open; these need no escaping anywhere. */
const NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/i

/** What an unknown name's secret is compared with, so that it takes the same time. */
const NOBODY = { digest: digestOf(''), client: undefined }

/** What a client shows: its name, and the secret that only it knows. */
export interface Credentials {
  name: string
  secret: string
}

export type ServiceClients = ReturnType<typeof createServiceClients>

/**
 * The programs that have credentials of their own. The list is read when it is used, at most once a second, and kept in
 * memory: only the first request after a pause waits for it, and none is served by one that is older than
 * {@link TRUSTED_FOR_MS}.
 */
export function createServiceClients({ serviceClients }: { serviceClients: ServiceClientRows }) {
  let known = new Map<string, { digest: Buffer; client: ServiceClient }>()
  const recognised = new LRUCache<string, ServiceClient>({ max: REMEMBERED_SPELLINGS })
  let readAt = Number.NEGATIVE_INFINITY
  let reading: Promise<void> | undefined

  return { recall, authenticate, add, remove, all: serviceClients.all }

  /**
   * The client that has been authenticated by the same text since the list was last read. Undefined says nothing about the
   * text: what stands in it is for {@link authenticate} to judge.
   */
  function recall(text: string): ServiceClient | undefined {
    return age() > READ_AGAIN_AFTER_MS ? undefined : recognised.get(text)
  }

  /**
   * The client that has this name and this secret; from now on {@link recall} knows it by the text that they were read from.
   *
   * @throws Refusal `invalid_client`
   * @throws Unavailable when the list is too old and cannot be read.
   */
  async function authenticate({ name, secret }: Credentials, text: string): Promise<ServiceClient> {
    if (age() > TRUSTED_FOR_MS) await readAgain()
    const digest = digestOf(secret)
    let found = matching(name, digest)
    if (age() > READ_AGAIN_AFTER_MS) {
      // Behind the answer where there is one. Perhaps a stranger was added just now.
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
   * Adds a client and gives its secret, 256 random bits that are kept nowhere.
   *
   * @throws OperatorError for a bad or taken name.
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
      throw new OperatorError(`there is a client ${name} already: remove it, or add another beside it`)
    }
    return secret
  }

  /** Takes a client's access away, everywhere within {@link TRUSTED_FOR_MS}. @throws OperatorError */
  async function remove(name: string): Promise<void> {
    if (!(await serviceClients.remove(name))) throw new OperatorError('there is no client of this name')
  }

  function matching(name: string, digest: Buffer): ServiceClient | undefined {
    const { digest: expected, client } = known.get(name) ?? NOBODY
    return timingSafeEqual(digest, expected) ? client : undefined
  }

  /** Of what the list says, in milliseconds. */
  function age(): number {
    return performance.now() - readAt
  }

  /** Whoever needs the list while it is being read waits for the same reading. */
  function readAgain(): Promise<void> {
    reading ??= read().finally(() => {
      reading = undefined
    })
    return reading
  }

  async function read(): Promise<void> {
    // A client removed after this moment may still be in the answer.
    const asked = performance.now()
    const clients = await serviceClients.all()
    const digested = clients.map((client) => ({
      digest: Buffer.from(client.secretDigest, 'base64url'),
      client,
    }))
    // Only what is as long as a digest can be compared with one.
    const usable = digested.filter(({ digest }) => digest.length === NOBODY.digest.length)
    known = new Map(usable.map((entry) => [entry.client.name, entry]))
    recognised.clear()
    readAt = asked
  }
}

/** Nothing slower is needed, nor a salt: what has 256 random bits cannot be guessed. */
function digestOf(secret: string): Buffer {
  return createHash('sha256').update(secret).digest()
}
