import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'

interface Needs {
  /** Whether Swagger UI is served. */
  docs: boolean
}

/** The page loads nothing, sends nothing, and is shown in no frame. */
const POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/** For whoever opens the address of the service in a browser. */
export const frontPage: FastifyPluginAsyncTypebox<Needs> = async (app, { docs }) => {
  const page = pageWith([...(docs ? DOCUMENTATION : []), ...PROBES])

  app.get('/', { schema: { hide: true } }, async (_request, reply) =>
    reply.type('text/html; charset=utf-8').header('content-security-policy', POLICY).send(page),
  )
}

/** Relative addresses: a proxy may serve the service below a prefix. */
const DOCUMENTATION = [
  ['docs/', 'Swagger UI: read about every route, and try it'],
  ['docs/json', 'the OpenAPI document as JSON'],
  ['docs/yaml', 'the OpenAPI document as YAML'],
] as const

const PROBES = [
  ['livez', 'whether this process answers'],
  ['readyz', 'whether its stores do'],
] as const

function pageWith(links: readonly (readonly [address: string, about: string])[]): string {
  const items = links.map(([address, about]) => `<li><a href="${address}">/${address}</a>: ${about}</li>`)
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>auth-service</title>
<h1>auth-service</h1>
<p>Authentication for the video platform: log in, and check whose session a token is.</p>
<ul>
${items.join('\n')}
</ul>
</html>
`
}
