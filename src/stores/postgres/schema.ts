import { sql } from 'drizzle-orm'
import { bigint, check, pgTable, primaryKey, text, timestamp } from 'drizzle-orm/pg-core'

/**
 * One row per user, the authority on the user's session. `last_login_stamp` orders the user's
 * logins and endings, in milliseconds; `session_id` is null when nobody is logged in.
 */
export const userLogin = pgTable(
  'user_login',
  {
    // mode 'number': the driver would otherwise return strings, and '2' === 2 is false.
    userId: bigint('user_id', { mode: 'number' }).primaryKey().generatedByDefaultAsIdentity(),
    mobile: text('mobile').notNull().unique(),
    password: text('password').notNull(),
    status: text('status', { enum: ['active', 'disabled'] })
      .notNull()
      .default('active'),
    lastLoginStamp: bigint('last_login_stamp', { mode: 'number' }),
    lastLogin: timestamp('last_login', { withTimezone: true, mode: 'string' }),
    sessionId: text('session_id'),
    sessionExpiresAt: timestamp('session_expires_at', { withTimezone: true, mode: 'string' }),
    createdAt: timestamp('created_at', { withTimezone: true, mode: 'string' }).notNull().defaultNow(),
  },
  (table) => [check('user_login_status', sql`${table.status} in ('active', 'disabled')`)],
)

/** Networks that a user has logged in from: an IPv4 address, or an IPv6 /64. */
export const loginPlace = pgTable(
  'login_place',
  {
    userId: bigint('user_id', { mode: 'number' })
      .notNull()
      .references(() => userLogin.userId, { onDelete: 'cascade' }),
    network: text('network').notNull(),
    lastLogin: timestamp('last_login', { withTimezone: true, mode: 'string' }).notNull(),
  },
  (table) => [primaryKey({ columns: [table.userId, table.network] })],
)

/**
 * One row per service client: a program that may introspect or revoke sessions, or manage users.
 * The secret is not stored, only its digest.
 */
export const serviceClient = pgTable(
  'service_client',
  {
    name: text('name').primaryKey(),
    secretDigest: text('secret_digest').notNull(),
    permissions: text('permissions', { enum: ['introspect', 'revoke', 'users'] })
      .array()
      .notNull(),
    createdAt: timestamp('created_at', { withTimezone: true, mode: 'string' }).notNull().defaultNow(),
  },
  (table) => [
    check(
      'service_client_permissions',
      sql`${table.permissions} <@ array['introspect', 'revoke', 'users']::text[] and ${table.permissions} <> '{}'`,
    ),
  ],
)
