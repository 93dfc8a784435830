import { readFileSync } from 'node:fs'
import type { SchemaObject } from 'ajv'

/** The schema and the examples of a body, an answer or a parameter. */
export interface MediaType {
  schema: SchemaObject
  example?: unknown
  examples?: Record<string, { value: unknown }>
}

export interface DocumentedAnswer {
  headers?: Record<string, { schema: SchemaObject }>
  content?: Record<string, MediaType>
}

interface Described {
  operationId: string
  summary: string
  description: string
  tags: string[]
  security?: Record<string, []>[]
  parameters?: (MediaType & { name: string })[]
  requestBody?: { content: Record<string, MediaType> }
  /** By status. */
  responses: Record<string, DocumentedAnswer>
}

/** One route of the document. The method is in capitals. */
export interface Operation extends Described {
  method: string
  path: string
}

interface OpenapiDocument {
  tags: { name: string; description: string }[]
  paths: Record<string, Record<string, Described>>
  components: { schemas: Record<string, SchemaObject> }
}

/** The committed document, which contract.test.ts compares with the routes. */
export const document: OpenapiDocument = JSON.parse(
  readFileSync(new URL('../../openapi/openapi.json', import.meta.url), 'utf8'),
)

/** The document with every schema in its place. */
export const resolved: OpenapiDocument = resolve(document)

export const operations: Operation[] = Object.entries(resolved.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, described]) => ({
    ...described,
    path,
    method: method.toUpperCase(),
  })),
)

/** Puts in place what each `$ref` names. The members beside it narrow it. */
function resolve<T>(node: T): T {
  return JSON.parse(JSON.stringify(node), (_key, value) => {
    if (typeof value?.$ref !== 'string') return value
    const named = resolve(document.components.schemas[value.$ref.replace(/.*\//, '')])
    return value.properties ? { ...named, properties: { ...named?.properties, ...value.properties } } : named
  })
}

/** The content type of a body and its description, undefined where there is no body. */
export function contentOf(
  described: DocumentedAnswer | Described['requestBody'],
): [string, MediaType] | undefined {
  return Object.entries(described?.content ?? {})[0]
}

/** The examples of a body, an answer or a parameter. */
export function examplesOf({ example, examples = {} }: MediaType): unknown[] {
  return [...(example === undefined ? [] : [example]), ...Object.values(examples).map(({ value }) => value)]
}
