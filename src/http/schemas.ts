import { type Static, type TSchema, Type } from '@sinclair/typebox'
import { MAX_PASSWORD_BYTES, MIN_NEW_PASSWORD_LENGTH } from '../passwords/password-length.js'
import type { User } from '../users/users.js'

/** The example token of the document. The ellipsis shows that it is not a real one. */
export const SAMPLE_TOKEN = 'eyJhbGciOi…'

export const Mobile = Type.String({
  description: 'With country code, or as dialled in the default region, in any usual spelling.',
  minLength: 3,
  // Room for separators and invisible characters of a pasted number or a `tel:` link.
  maxLength: 64,
  // The demo account of embedded mode.
  examples: ['+8613800138000'],
})

export const Password = Type.String({
  description: 'At most 72 bytes in UTF-8, without NUL. Checked exactly as sent.',
  minLength: 1,
  maxLength: 72,
  examples: ['as printed at the first start'],
})

/** The rules for a new password that a schema can state. requireStrong checks the others. */
export const NewPassword = Type.String({
  description: `At least ${MIN_NEW_PASSWORD_LENGTH} characters, at most ${MAX_PASSWORD_BYTES} bytes in UTF-8, without NUL, and not easy to guess.`,
  minLength: MIN_NEW_PASSWORD_LENGTH,
  maxLength: MAX_PASSWORD_BYTES,
  examples: ['seven wet umbrellas in a row'],
})

/** The form of RFC 7662 §2.1 and RFC 7009 §2.1. Other members are ignored (RFC 6749 §3.1). */
export const TokenForm = Type.Object(
  {
    token: Type.String({
      description: 'The token to check or to revoke, as /login answered it.',
      minLength: 1,
      examples: [SAMPLE_TOKEN],
    }),
    token_type_hint: Type.Optional(
      Type.String({ description: 'Ignored: there is one type of token.', examples: ['access_token'] }),
    ),
  },
  { title: 'TokenForm' },
)

export const UserId = Type.Integer({ description: 'The user id.', examples: [1] })

export const UserStatus = OneOf(['active', 'disabled'], {
  title: 'UserStatus',
  description: '`disabled`: every login and every token is refused.',
})

/** What an answer may say about a user: never the hash, never the session id. */
export const UserRecord = closed(
  {
    user_id: UserId,
    mobile: Type.String({ description: 'As stored, in E.164.', examples: ['+8613800138000'] }),
    status: UserStatus,
    logged_in: Type.Boolean({
      description: 'Whether PostgreSQL holds a session that has neither ended nor expired.',
    }),
    last_login: Type.Unsafe<string | null>({
      type: ['string', 'null'],
      format: 'date-time',
      description: 'Null before the first login.',
      examples: ['2026-11-22T08:00:00.000Z'],
    }),
    created_at: Type.String({ format: 'date-time', examples: ['2026-11-21T08:00:00.000Z'] }),
  },
  { title: 'User', description: 'A user: never the password, never the session id.' },
)

/** The path parameters below `/users/{id}`, whose scope registers numericId. */
export const UserPath = closed({
  id: Type.Integer({
    description: 'The user id.',
    minimum: 1,
    maximum: Number.MAX_SAFE_INTEGER,
    examples: [1],
  }),
})

export const ExpiresAt = Type.Integer({
  description: 'When the token expires, in seconds since the epoch.',
  examples: [1795449600],
})

/** An enum: Swagger UI and generated code show it better than a union of constants. */
export function OneOf<T extends string>(
  values: readonly T[],
  options: { title?: string; description?: string; default?: T } = {},
) {
  return Type.Unsafe<T>({ type: 'string', enum: values, ...options })
}

/**
 * A closed object: an unlisted member is refused, never dropped silently. A schema with a title has
 * that name in the OpenAPI document.
 */
export function closed<P extends Record<string, TSchema>>(
  properties: P,
  options: { title?: string; description?: string } = {},
) {
  return Type.Object(properties, { additionalProperties: false, ...options })
}

/** The platform's envelope around a success, named after its data. */
export function Ok<T extends TSchema>(data: T, description: string) {
  return Type.Object(
    { code: Type.Literal(200), msg: Type.String({ examples: ['ok'] }), data },
    { title: `${data.title}Answer`, description },
  )
}

/** The platform's envelope around a success without data. */
export function Done(description: string) {
  return Type.Object(
    { code: Type.Literal(200), msg: Type.String({ examples: ['ok'] }) },
    { title: 'Done', description },
  )
}

/** A success without a body. */
export function NoBody(description: string) {
  return Type.Unsafe<undefined>({ type: 'null', description })
}

export function ok<T>(data: T): Static<ReturnType<typeof Done>> & { data: T } {
  return { code: 200, msg: 'ok', data }
}

export function done(): Static<ReturnType<typeof Done>> {
  return { code: 200, msg: 'ok' }
}

export function recordOf(user: User): Static<typeof UserRecord> {
  return {
    user_id: user.userId,
    mobile: user.mobile,
    status: user.status,
    logged_in: user.loggedIn,
    last_login: user.lastLogin,
    created_at: user.createdAt,
  }
}
