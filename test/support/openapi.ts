import { readFileSync } from 'node:fs'
import type { SchemaObject } from 'ajv'

/** What a body, an answer or a parameter may be. */
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

type OpenapiDocument = { paths: Record<string, Record<string, Described>> } & Record<string, unknown>

/** The committed document: contract.test.ts proves that it is what the routes say. */
export const document: OpenapiDocument = JSON.parse(
  readFileSync(new URL('../../openapi/openapi.json', import.meta.url), 'utf8'),
)

export const operations: Operation[] = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, described]) => ({
    ...described,
    path,
    method: method.toUpperCase(),
  })),
)

/** What an answer may hold, and all that it must, where it has a body. */
export function contentOf(
  described: DocumentedAnswer | Described['requestBody'],
): [string, MediaType] | undefined {
  return Object.entries(described?.content ?? {})[0]
}

/** What a body, an answer or a parameter is shown with. */
export function examplesOf({ example, examples = {} }: MediaType): unknown[] {
  return [...(example === undefined ? [] : [example]), ...Object.values(examples).map(({ value }) => value)]
}
