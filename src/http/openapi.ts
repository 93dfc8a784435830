import swagger from '@fastify/swagger'
import { type TSchema, Type } from '@sinclair/typebox'
import type { FastifyInstance, FastifySchema, RouteOptions } from 'fastify'
import { MESSAGES } from '../refusals/messages.js'
import type { Slug } from '../refusals/refusal.js'
import { SECURITY_SCHEMES } from './bearer-token.js'
import { nameExamples, withComponents } from './openapi-names.js'
import { STATUS_OF } from './refusal-answer.js'
import { closed, OneOf, UserId } from './schemas.js'

/** The version of the HTTP contract: changes with routes and answers, not with the code. */
const CONTRACT_VERSION = '0.1.0'

const DESCRIPTION = `Authentication for the video platform: a JWT that can be revoked at once.

Answers have one form: \`code\` repeats the HTTP status, \`msg\` is for people, \`data\` holds the
result. A failure has \`error\`, a name for programs that never changes. Its \`msg\` is English, or
Chinese where \`Accept-Language\` prefers it. Only /introspect, /revoke and /.well-known/jwks.json
answer in the forms of their RFCs.

**401 means that the token, the password or a service client's credentials are refused, never an
outage.** After a 503, keep the token and try again.`

/** What a caller can authenticate with: a token, or the credentials of a service client. */
const SCHEMES = {
  ...SECURITY_SCHEMES,
  client: {
    type: 'http',
    scheme: 'basic',
    description: 'Name and secret of a service client. `auth-service client add` prints the secret once.',
  },
} as const

/** Collects every route into an OpenAPI 3.1 document. Register before the routes. */
export async function registerOpenapi(app: FastifyInstance): Promise<void> {
  await app.register(swagger, {
    // Stripping fails on the relative server URL below.
    stripBasePath: false,
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'auth-service',
        version: CONTRACT_VERSION,
        description: DESCRIPTION,
        license: { name: 'MIT', identifier: 'MIT' },
      },
      // Relative to /docs/json, so that it also works below a proxy's prefix.
      servers: [{ url: '..', description: 'The service that serves this document.' }],
      tags: [
        { name: 'sessions', description: 'Log in and out.' },
        { name: 'tokens', description: 'Ask whose session a token is.' },
        { name: 'introspection', description: 'OAuth 2.0 for gateways: check and revoke tokens.' },
        { name: 'users', description: 'Add and change users, for sibling services.' },
        { name: 'operation', description: 'For operators and their probes.' },
      ],
      // Explicit for every route: `security` is never missing by oversight. A guard overrides it.
      security: [],
      components: { securitySchemes: SCHEMES },
    },
    transformObject: (document) =>
      withComponents(
        nameExamples('openapiObject' in document ? document.openapiObject : document.swaggerObject),
      ),
  })
}

/**
 * Documents on a route what the guard of its scope requires, and how it refuses.
 *
 * @param security alternatives, by the names of the schemes.
 */
export function documentGuard(
  route: RouteOptions,
  security: Record<string, []>[],
  slugs: readonly Slug[],
): void {
  const response = responseOf(route)
  route.schema = {
    ...route.schema,
    security,
    response: { ...response, ...refusals(...slugs, ...slugsOf(response)) },
  }
}

/** Documents the refusals of a route in the form of OAuth 2.0 (RFC 6749 §5.2). */
export function documentOauthErrors(route: RouteOptions): void {
  const response = responseOf(route)
  const refused = refusals(...slugsOf(response))
  for (const schema of Object.values(refused)) {
    const { error } = schema.properties
    schema.title = 'OAuthError'
    schema.properties = { error, error_description: Type.String() }
    schema.required = ['error', 'error_description']
    schema.examples = schema.examples.map(({ error, msg }: { error: Slug; msg: string }) => ({
      error,
      error_description: msg,
    }))
  }
  route.schema = { ...route.schema, response: { ...response, ...refused } }
}

function responseOf(route: RouteOptions): Record<number, TSchema> {
  return (route.schema?.response ?? {}) as Record<number, TSchema>
}

function slugsOf(response: Record<number, TSchema>): Slug[] {
  return Object.values(response).flatMap(({ properties }) => properties?.error?.enum ?? [])
}

/** Failures of every route. */
const ANYWHERE: readonly Slug[] = ['internal', 'temporarily_unavailable']

/** The `data` of a failure, with an example. */
const DATA_OF: { [slug in Slug]?: { title: string; schema: TSchema; example: object } } = {
  mobile_taken: { title: 'MobileTaken', schema: closed({ user_id: UserId }), example: { user_id: 1 } },
}

/** Failures of routes that read a body. */
export const OF_A_BODY: readonly Slug[] = ['invalid_request', 'payload_too_large', 'unsupported_media_type']

/** The schemas of a route's failures by status: the possible slugs, each with an example answer. */
export function refusals(...slugs: readonly Slug[]): Record<number, TSchema> {
  const byStatus = new Map<number, Slug[]>()
  for (const slug of new Set([...slugs, ...ANYWHERE])) {
    const status = STATUS_OF[slug]
    byStatus.set(status, [...(byStatus.get(status) ?? []), slug])
  }
  return Object.fromEntries([...byStatus].map(([status, named]) => [status, refusalSchema(status, named)]))
}

function refusalSchema(status: number, slugs: Slug[]): TSchema {
  const headers = {
    ...(status === 401 && {
      'WWW-Authenticate': Type.String({ description: 'How to authenticate (RFC 9110, section 11.6.1).' }),
    }),
    ...((status === 429 || status === 503) && {
      'Retry-After': Type.Integer({ description: 'Seconds to wait before the next try.' }),
    }),
  }
  const [data] = slugs.flatMap((slug) => DATA_OF[slug] ?? [])
  return Type.Object(
    {
      code: Type.Literal(status),
      error: OneOf(slugs),
      msg: Type.String(),
      ...(data && { data: data.schema }),
    },
    {
      title: data?.title ?? 'Error',
      description: slugs.map((slug) => `\`${slug}\`: ${asMarkdown(MESSAGES[slug].en)}`).join('\n\n'),
      examples: slugs.map((slug) => ({
        code: status,
        error: slug,
        msg: MESSAGES[slug].en,
        ...(data && { data: data.example }),
      })),
      ...(Object.keys(headers).length > 0 && { headers }),
    },
  )
}

/** Escapes angle brackets, which Markdown takes for HTML. */
function asMarkdown(text: string): string {
  return text.replaceAll('<', '\\<')
}

/** What every documented route must state. */
export interface Documented extends FastifySchema {
  tags: ['sessions' | 'tokens' | 'introspection' | 'users' | 'operation']
  operationId: string
  summary: string
  description: string
}
