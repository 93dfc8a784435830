import { isDeepStrictEqual } from 'node:util'
import { STATUS_OF } from './refusal-answer.js'

interface Example {
  value?: { error?: string; active?: boolean }
}

/** Names the example of each answer by what it says: the plugin only numbers them. */
export function nameExamples<T extends object>(document: T): T {
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
export function withComponents<T extends object>(document: T): T {
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
