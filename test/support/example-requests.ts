import type { SchemaObject } from 'ajv'
import { basic, type CallOptions, type Credentials } from '../helper.js'
import { contentOf, examplesOf, type Operation } from './openapi.js'

/** Whom a request is about. What is missing is left as the document shows it. */
export interface About {
  token?: string
  mobile?: string
  userId?: number
}

/** Who asks. Who has neither token nor credentials shows none. */
export interface Asker extends About {
  client?: Credentials
}

/** A request as the document shows it, asked by this one, and about this one unless it is said otherwise. */
export function exampleRequest(
  { method, path, parameters = [], requestBody, security = [] }: Operation,
  asker: Asker,
  about: About = asker,
): [method: string, path: string, options: CallOptions] {
  const [type, media] = contentOf(requestBody) ?? []
  const shown = media && { ...exampleOf(media.schema), ...membersAbout(about, media.schema) }
  const body = type === 'application/json' ? shown : new URLSearchParams(shown).toString()
  const headers = { ...authorization(security, asker), ...(type && { 'content-type': type }) }
  const address = parameters.reduce(
    (filled, parameter) =>
      filled.replace(`{${parameter.name}}`, String(about.userId ?? examplesOf(parameter)[0])),
    path,
  )
  return [method, address, { headers, ...(media && { body }) }]
}

/** The example of every member; any allowed value for one that must be there and has none. */
function exampleOf({ properties, required }: SchemaObject): Record<string, string> {
  const members = Object.entries(properties as Record<string, SchemaObject>)
  const values = members.map(([name, { examples, enum: allowed }]) => [
    name,
    examples?.[0] ?? (required.includes(name) ? allowed?.[0] : undefined),
  ])
  return Object.fromEntries(values.filter(([, value]) => value !== undefined))
}

function membersAbout({ token, mobile }: About, { properties }: SchemaObject): Record<string, string> {
  return {
    ...(token !== undefined && 'token' in properties && { token }),
    ...(mobile !== undefined && 'mobile' in properties && { mobile }),
  }
}

function authorization(security: Record<string, []>[], { token, client }: Asker): Record<string, string> {
  const asks = (scheme: string) => security.some((way) => scheme in way)
  if (token !== undefined && asks('bearer')) return { authorization: `Bearer ${token}` }
  if (client !== undefined && asks('client')) return { authorization: basic(client) }
  return {}
}
