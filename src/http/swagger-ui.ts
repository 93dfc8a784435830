import compress from '@fastify/compress'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'

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
    // After the hook above, which changes the text. gzip only: it is fast enough each time.
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
 * 9110 §15.5.2), for which a browser prompts and lets the page wait. It never prompts for a
 * request that omits credentials (Fetch standard, HTTP-network-or-cache fetch), and so the answers
 * stay the same for everybody. The credentials of Swagger UI are a header of its own, which is
 * still sent. The document itself may be behind a proxy's cookie.
 */
function withoutPrompt(request: { loadSpec?: boolean }) {
  return request.loadSpec ? request : Object.assign(request, { credentials: 'omit' })
}

/**
 * Runs in the page. Every form of the dialogue takes the focus in turn, so that it opens scrolled
 * to the last one: the token comes first.
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
