import { isDeepStrictEqual } from 'node:util'
import compress from '@fastify/compress'
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import { type TSchema, Type } from '@sinclair/typebox'
import type { FastifyInstance, FastifySchema, RouteOptions } from 'fastify'
import { MESSAGES } from '../refusals/messages.js'
import type { Slug } from '../refusals/refusal.js'
import { SECURITY_SCHEMES } from './bearer-token.js'
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

interface Example {
  value?: { error?: string; active?: boolean }
}

/** Names the example of each answer by what it says: the plugin only numbers them. */
function nameExamples<T extends object>(document: T): T {
  return JSON.parse(JSON.stringify(document), (key, value) => {
    if (key !== 'examples' || Array.isArray(value)) return value
    const examples = Object.entries(value as Record<string, Example>)
    return Object.fromEntries(examples.map(([name, example]) => [nameOf(example) ?? name, example]))
  })
}

function nameOf({ value: { error, active } = {} }: Example): string | undefined {
  return error ?? (active === undefined ? undefined : active ? 'active' : 'inactive')
}

/**
 * The general forms of refusals. An answer refers to its form and narrows it to the slugs that it
 * can hold: a schema of its own would give generated code a type for every status of every route.
 */
const REFUSAL_FORMS: Record<string, object> = {
  Error: {
    type: 'object',
    description: 'A refusal or a failure.',
    properties: {
      code: { type: 'integer', description: 'The HTTP status.' },
      error: { $ref: refTo('ErrorName') },
      msg: { type: 'string', description: 'For people, in English or Chinese.' },
    },
    required: ['code', 'error', 'msg'],
  },
  OAuthError: {
    type: 'object',
    description: 'A refusal or a failure in the form of RFC 6749, section 5.2.',
    properties: {
      error: { $ref: refTo('ErrorName') },
      error_description: { type: 'string', description: 'For people, in English.' },
    },
    required: ['error', 'error_description'],
  },
  ErrorName: {
    type: 'string',
    description: 'Names the reason for programs. A name never changes; new ones may come.',
    enum: Object.keys(STATUS_OF),
  },
}

function refTo(name: string): string {
  return `#/components/schemas/${name}`
}

/**
 * Moves every schema with a title into the components, under this name, so that generated code has
 * few types with good names. Fastify keeps validating and serialising by the routes' own schemas.
 */
function withComponents<T extends object>(document: T): T {
  const schemas: Record<string, object> = { ...REFUSAL_FORMS }
  const referring = JSON.parse(JSON.stringify(document), (key, value) => {
    if (value?.enum?.length === 1) return constant(value)
    if (typeof value?.title !== 'string' || key === 'info') return value
    const { title, ...schema } = value
    if (title in REFUSAL_FORMS) return { $ref: refTo(title), properties: narrowed(schema) }
    // The description of an answer stands beside its schema, and differs between routes.
    if (key === 'schema') delete schema.description
    if (title in schemas && !isDeepStrictEqual(schemas[title], schema)) {
      throw new Error(`two schemas have the title ${title}`)
    }
    schemas[title] = schema
    return { $ref: refTo(title) }
  })
  return { ...referring, components: { ...referring.components, schemas } }
}

/** One allowed value. The plugin writes it as OpenAPI 3.0 did, and calls a `code` a number. */
function constant({ enum: [only], type, ...rest }: { enum: unknown[]; type: string }) {
  return { type: Number.isInteger(only) ? 'integer' : type, const: only, ...rest }
}

function narrowed({ properties: { code, error } }: { properties: Record<string, object> }) {
  return { ...(code && { code }), error }
}

/**
 * Swagger UI at /docs, the document at /docs/json and /docs/yaml. Every address is relative to the
 * page's own, because a proxy may serve it below a prefix.
 */
export async function registerDocs(app: FastifyInstance): Promise<void> {
  await app.register(async function pages(scope) {
    scope.addHook('onRequest', ({ url }, reply, done) => {
      // The page takes a query for a part of its path: /docs/ with one is redirected too.
      const page = url === '/docs/' ? undefined : WAYS_IN[url.split('?', 1)[0] ?? '']
      if (page === undefined) return done()
      reply.redirect(page)
    })
    scope.addHook('onSend', async ({ url }, reply, payload) => {
      reply.header('cache-control', FILE_OF_LIBRARY.test(url) ? 'public, max-age=86400' : 'no-cache')
      return typeof payload === 'string' ? payload.replace('<head>', `<head>${VIEWPORT}`) : payload
    })
    // After the hook above, which changes the text. gzip only: it is fast enough to compress each time.
    await scope.register(compress, { encodings: ['gzip'] })
    await scope.register(swaggerUi, {
      routePrefix: '/docs',
      staticCSP: PAGE_POLICY,
      theme: {
        title: 'auth-service',
        js: [{ filename: 'credentials-dialogue.js', content: SHOW_FIRST_CREDENTIAL }],
      },
      uiConfig: {
        // Without the top bar: its logo violates the policy, and there is only one document.
        layout: 'BaseLayout',
        displayRequestDuration: true,
        tryItOutEnabled: true,
        requestInterceptor: withoutPrompt,
      },
    })
  })
}

/** The plugin's template has no place for it. */
const VIEWPORT = '<meta name="viewport" content="width=device-width, initial-scale=1">'

/** Files that only another version of the library changes. */
const FILE_OF_LIBRARY = /\/static\/(?:swagger-ui[\w.-]*|index\.css|favicon[\w.-]*)(?:\?|$)/

/**
 * Runs in the page for every request of Swagger UI. A 401 must carry `WWW-Authenticate: Basic` (RFC
 * 9110 §15.5.2), for which a browser prompts and lets the page wait. It never prompts for a request
 * that omits credentials (Fetch standard, HTTP-network-or-cache fetch), and so the answers stay the
 * same for everybody. The credentials of Swagger UI are a header of its own, which is still sent.
 * The document itself may be behind a proxy's cookie.
 */
function withoutPrompt(request: { loadSpec?: boolean }) {
  return request.loadSpec ? request : Object.assign(request, { credentials: 'omit' })
}

/**
 * Runs in the page. Every form of the dialogue takes the focus in turn, so that it opens scrolled to
 * the last one: the token comes first.
 */
const SHOW_FIRST_CREDENTIAL = `document.addEventListener('click', ({ target }) => {
  if (!target.closest('.authorize, .authorization__btn') || target.closest('.modal-ux')) return
  requestAnimationFrame(() => {
    document.querySelector('.modal-ux input')?.focus({ preventScroll: true })
    document.querySelector('.modal-ux-content')?.scrollTo(0, 0)
  })
})
`

/** Other addresses of the page, each with the page's address relative to it. */
const WAYS_IN: Record<string, string> = {
  '/docs': 'docs/',
  '/docs/': './',
  '/docs/static/': '../',
  '/docs/static/index.html': '../',
}

/**
 * The page loads everything from its own origin. The plugin's own policy has
 * `upgrade-insecure-requests`: over plain HTTP the page would stay empty, except on loopback.
 */
const PAGE_POLICY = {
  'default-src': "'self'",
  'img-src': "'self' data:",
  'object-src': "'none'",
  'base-uri': "'self'",
  'form-action': "'none'",
  'frame-ancestors': "'self'",
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
