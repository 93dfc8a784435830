import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import { type TSchema, Type } from '@sinclair/typebox'
import type { FastifyInstance, FastifySchema, RouteOptions } from 'fastify'
import { MESSAGES } from '../refusals/messages.js'
import type { Slug } from '../refusals/refusal.js'
import { SECURITY_SCHEMES } from './bearer-token.js'
import { STATUS_OF } from './refusal-answer.js'
import { closed, OneOf, UserId } from './schemas.js'

/** The version of the contract: it changes with the routes and answers, not with the code. */
const CONTRACT_VERSION = '0.1.0'

const DESCRIPTION = `Authentication for the video platform: a JWT that can be revoked at once.

Every answer has one form: \`code\` repeats the HTTP status, \`msg\` is for people, \`data\` holds what was asked
for. A failure has \`error\` instead of \`data\`: a name that never changes, for programs. Its
\`msg\` is English, or Chinese where \`Accept-Language\` prefers it.

**401 means the token or the password, never an outage.** A client that gets 503 keeps its token and tries again.`

/** What can be shown to this service: a token in either spelling, or the credentials of a service client. */
const SCHEMES = {
  ...SECURITY_SCHEMES,
  client: {
    type: 'http',
    scheme: 'basic',
    description:
      'The name and the secret of a service client: auth-service client add prints the secret once.',
  },
} as const

/** Collects every route into an OpenAPI 3.1 document. Register before the routes. */
export async function registerOpenapi(app: FastifyInstance): Promise<void> {
  await app.register(swagger, {
    // It would take a server's address for an absolute one.
    stripBasePath: false,
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'auth-service',
        version: CONTRACT_VERSION,
        description: DESCRIPTION,
        license: { name: 'MIT', identifier: 'MIT' },
      },
      // Seen from /docs/json, wherever a proxy has put that.
      servers: [{ url: '..', description: 'The service that shows this document.' }],
      tags: [
        { name: 'session', description: 'Log in and out.' },
        { name: 'check', description: 'Ask who a token belongs to.' },
        { name: 'users', description: 'Add and change users, for the sibling that registers them.' },
        { name: 'operation', description: 'For whoever runs the service.' },
      ],
      // Said of every route, so that none is open by oversight; a guard overrides it for its scope.
      security: [],
      components: { securitySchemes: SCHEMES },
    },
    transformObject: (document) =>
      nameExamples('openapiObject' in document ? document.openapiObject : document.swaggerObject),
  })
}

/** Calls the example of each failure by its slug: the plugin only counts them. */
function nameExamples<T extends object>(document: T): T {
  return JSON.parse(JSON.stringify(document), (key, value) => {
    if (key !== 'examples' || Array.isArray(value)) return value
    const examples = Object.entries(value as Record<string, { value?: { error?: string } }>)
    return Object.fromEntries(examples.map(([name, example]) => [example.value?.error ?? name, example]))
  })
}

/**
 * Swagger UI at /docs, the document at /docs/json and /docs/yaml. Nothing says where this is:
 * behind a proxy that serves it below a prefix, every address is relative to the page's own.
 */
export async function registerDocs(app: FastifyInstance): Promise<void> {
  await app.register(async function pages(scope) {
    scope.addHook('onRequest', ({ url }, reply, done) => {
      // With a query, which the page would take for a part of its path, it is another way in.
      const page = url === '/docs/' ? undefined : WAYS_IN[url.split('?', 1)[0] ?? '']
      if (page === undefined) return done()
      reply.redirect(page)
    })
    await scope.register(swaggerUi, {
      routePrefix: '/docs',
      staticCSP: PAGE_POLICY,
      uiConfig: {
        // Without the bar on top: its logo breaks the policy, and it is there to choose among
        // documents.
        layout: 'BaseLayout',
        displayRequestDuration: true,
        tryItOutEnabled: true,
      },
    })
  })
}

/** The other ways in, and where the page is from there. */
const WAYS_IN: Record<string, string> = {
  '/docs': 'docs/',
  '/docs/': './',
  '/docs/static/': '../',
  '/docs/static/index.html': '../',
}

/**
 * The page takes everything from this service, as it was asked for itself. The plugin's own policy would have browsers ask for
 * HTTPS instead (`upgrade-insecure-requests`): over plain HTTP the page then stays empty on all but loopback addresses.
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
 * Documents, on a route inside a guard's scope, what the guard asks for, and how it refuses.
 *
 * @param security any of these, by the names of the schemes.
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

/** Documents, on a route that answers as OAuth 2.0 does, its refusals in that form (RFC 6749 §5.2). */
export function documentOauthErrors(route: RouteOptions): void {
  const response = responseOf(route)
  const refused = refusals(...slugsOf(response))
  for (const schema of Object.values(refused)) {
    const { error } = schema.properties
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

/** Failures that any route can end in. */
const ANYWHERE: readonly Slug[] = ['internal', 'temporarily_unavailable']

/** What a failure tells programs beside its name, with an example. */
const DATA_OF: { [slug in Slug]?: { schema: TSchema; example: object } } = {
  mobile_taken: { schema: closed({ user_id: UserId }), example: { user_id: 1 } },
}

/** Failures of routes that read a body. */
export const OF_A_BODY: readonly Slug[] = ['invalid_request', 'payload_too_large', 'unsupported_media_type']

/**
 * The schemas of a route's failures, by status: which slugs it can give, each with the answer as it is sent.
 */
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
      'Retry-After': Type.Integer({ description: 'Seconds until another try makes sense.' }),
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

/** A text as it is, where Markdown would take what is in angle brackets for HTML. */
function asMarkdown(text: string): string {
  return text.replaceAll('<', '\\<')
}

/** What every documented route says of itself. */
export interface Documented extends FastifySchema {
  tags: ['session' | 'check' | 'users' | 'operation']
  operationId: string
  summary: string
  description?: string
}
