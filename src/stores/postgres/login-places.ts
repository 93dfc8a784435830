import { and, desc, eq, notInArray, sql } from 'drizzle-orm'
import type { Database, Postgres } from './postgres.js'
import { loginPlace } from './schema.js'

/** How many places are kept per user: the most recent ones. */
const MAX_PLACES = 10

/** How long a place stays known without a login from it. */
const KNOWN_FOR = '180 days'

/** A login from a place is noted again only after this time: that saves a write per login. */
const NOTED_FOR = '1 day'

/**
 * Whether a user has logged in from a network before: `noted` within NOTED_FOR, `known` within
 * KNOWN_FOR, otherwise `new`.
 */
export type Familiarity = 'noted' | 'known' | 'new'

export type LoginPlaces = ReturnType<typeof createLoginPlaces>

/**
 * The networks that users have logged in from, in PostgreSQL.
 *
 * Every method throws Unavailable when PostgreSQL does not answer in time.
 */
export function createLoginPlaces(postgres: Pick<Postgres<PlaceStatements>, 'run'>) {
  return { familiarity, note }

  async function familiarity(userId: number, network: string): Promise<Familiarity> {
    const [row] = await postgres.run((statements) => statements.findPlace.execute({ userId, network }))
    return row?.familiarity ?? 'new'
  }

  /**
   * Notes a login and forgets the oldest places. Harmless when it executes late or twice, so it
   * carries no deadline.
   */
  async function note(userId: number, network: string, limitMs?: number): Promise<void> {
    await postgres.run(async (statements) => {
      await statements.notePlace.execute({ userId, network })
      await statements.forgetOldest.execute({ userId })
    }, limitMs)
  }
}

export type PlaceStatements = ReturnType<typeof preparePlaceStatements>

export function preparePlaceStatements(database: Database) {
  const ofUser = eq(loginPlace.userId, sql.placeholder('userId'))
  const isNewerThan = (age: string) => sql`${loginPlace.lastLogin} > now() - ${sql.raw(`interval '${age}'`)}`
  const kept = database
    .select({ network: loginPlace.network })
    .from(loginPlace)
    .where(ofUser)
    .orderBy(desc(loginPlace.lastLogin))
    .limit(MAX_PLACES)

  return {
    findPlace: database
      .select({
        familiarity: sql<Familiarity>`case when ${isNewerThan(NOTED_FOR)} then 'noted' else 'known' end`.as(
          'familiarity',
        ),
      })
      .from(loginPlace)
      .where(and(ofUser, eq(loginPlace.network, sql.placeholder('network')), isNewerThan(KNOWN_FOR)))
      .prepare('find_place'),
    notePlace: database
      .insert(loginPlace)
      .values({
        userId: sql.placeholder('userId'),
        network: sql.placeholder('network'),
        lastLogin: sql`now()`,
      })
      .onConflictDoUpdate({
        target: [loginPlace.userId, loginPlace.network],
        set: { lastLogin: sql`excluded.last_login` },
      })
      .prepare('note_place'),
    forgetOldest: database
      .delete(loginPlace)
      .where(and(ofUser, notInArray(loginPlace.network, kept)))
      .prepare('forget_oldest_places'),
  }
}
