import type { SchemaObject, ValidateFunction } from 'ajv'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { STATUS_OF } from '../../src/http/refusal-answer.js'
import type { Slug } from '../../src/refusals/refusal.js'
import { contentOf, type DocumentedAnswer, type Operation, operations } from './openapi.js'

/** A request and its answer, as any client has read it. Names of headers are in lower case. */
export interface Exchange {
  method: string
  path: string
  status: number
  headers: Record<string, unknown>
  text: string
}

/** Where an answer differs from the document. */
export function deviationsOf(exchange: Exchange): string[] {
  const { method, path, status } = exchange
  const operation = operationAt(method, path)
  const described = operation?.responses[status] ?? (operation ? UNREAD : elsewhere(path))[status]
  if (described) return differences(described, exchange)
  return isPage(path) && status < 400 ? [] : ['no such status']
}

/** Refusals of bytes that did not become a request, with any path. */
const UNREAD = refusals('invalid_request', 'request_timeout', 'headers_too_large')

/** Refusals at a path that the document does not have. */
const NOWHERE = { ...UNREAD, ...refusals('not_found') }

/** Refusals at a path that answers other methods. */
const OTHER_METHOD: Record<number, DocumentedAnswer> = {
  ...UNREAD,
  405: { ...refusals('method_not_allowed')[405], headers: { Allow: { schema: { type: 'string' } } } },
}

/** Refusals where the document has no operation. /identify answers TRACE as an unknown path. */
function elsewhere(path: string): Record<number, DocumentedAnswer> {
  if (isPage(path)) return { ...NOWHERE, ...OTHER_METHOD }
  const known = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'].map((method) => operationAt(method, path))
  const isKnown = known.some((operation) => operation && operation.operationId !== 'identify')
  return isKnown ? OTHER_METHOD : NOWHERE
}

function refusals(...slugs: Slug[]): Record<number, DocumentedAnswer> {
  const envelope = (slug: Slug) => ({
    type: 'object',
    properties: { code: { const: STATUS_OF[slug] }, error: { const: slug }, msg: { type: 'string' } },
    required: ['code', 'error', 'msg'],
  })
  return Object.fromEntries(
    slugs.map((slug) => [STATUS_OF[slug], { content: { 'application/json': { schema: envelope(slug) } } }]),
  )
}

/** HEAD answers as GET does. /identify answers every method and every path below it as GET. */
function operationAt(method: string, path: string): Operation | undefined {
  const address = path.replace(/^https?:\/\/[^/]*/, '').replace(/[?#].*$/s, '')
  const isIdentify = /^\/identify(\/|$)/.test(address) && !['TRACE', 'CONNECT'].includes(method)
  const asked = isIdentify ? 'GET /identify' : `${method === 'HEAD' ? 'GET' : method} ${address}`
  return PATTERNS.find(({ pattern }) => pattern.test(asked))?.operation
}

const PATTERNS = operations.map((operation) => ({
  operation,
  pattern: new RegExp(
    `^${operation.method} ${operation.path.replaceAll('.', '\\.').replace(/\{\w+\}/g, '[^/]+')}$`,
  ),
}))

/** The front page, and Swagger UI with its files. */
function isPage(path: string): boolean {
  return /^\/(\?|$|docs([/?]|$))/.test(path)
}

function differences(described: DocumentedAnswer, { method, headers, text }: Exchange): string[] {
  return [
    ...differencesOfHeaders(described, headers),
    ...(method === 'HEAD' ? [] : differencesOfBody(described, String(headers['content-type'] ?? ''), text)),
  ]
}

function differencesOfBody(described: DocumentedAnswer, type: string, text: string): string[] {
  const [wanted, media] = contentOf(described) ?? []
  if (!media) return text === '' ? [] : ['a body']
  if (type.split(';')[0] !== wanted) return [`content type ${type}`]
  const validate = validatorOf(media.schema)
  return validate(JSON.parse(text)) ? [] : problemsIn(validate, 'body')
}

/** Headers of HTTP itself, and those that every answer may carry. */
const ANYWHERE =
  /^(date|connection|keep-alive|transfer-encoding|content-(type|length|language)|cache-control|vary|x-content-type-options|referrer-policy|strict-transport-security)$/

function differencesOfHeaders(
  { headers: described = {} }: DocumentedAnswer,
  headers: Exchange['headers'],
): string[] {
  const names = Object.keys(described).map((name) => name.toLowerCase())
  const unknown = Object.keys(headers).filter((name) => !names.includes(name) && !ANYWHERE.test(name))
  return [
    ...unknown.map((name) => `header ${name}`),
    ...Object.entries(described).flatMap(([name, { schema }]) => {
      const value = headers[name.toLowerCase()]
      if (value === undefined) return [`no header ${name}`]
      const validate = validatorOf(schema)
      return validate(schema.type === 'integer' ? Number(value) : value) ? [] : problemsIn(validate, name)
    }),
  ]
}

const ajv = new Ajv2020({ allErrors: true, strict: true, allowUnionTypes: true })
addFormats.default(ajv)
const validators = new WeakMap<SchemaObject, ValidateFunction>()

/** Compiled once per process, and closed: a member that is not listed is a deviation, too. */
export function validatorOf(schema: SchemaObject): ValidateFunction {
  const compiled = validators.get(schema) ?? ajv.compile(closed(schema))
  validators.set(schema, compiled)
  return compiled
}

function closed(schema: SchemaObject): SchemaObject {
  return JSON.parse(JSON.stringify(schema), (_key, value) =>
    value?.type === 'object' && value.properties ? { additionalProperties: false, ...value } : value,
  )
}

function problemsIn({ errors }: ValidateFunction, place: string): string[] {
  return (errors ?? []).map(({ instancePath, message }) => `${place}${instancePath} ${message}`)
}
