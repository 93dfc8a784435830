import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { build } from '../helper.js'
import { HOST, openBrowser } from '../support/browser.js'
import { operations } from '../support/openapi.js'
import { freePort, reachable, requireProgram, until } from '../support/servers.js'
import { temporaryDirectory } from '../support/service-process.js'
import { authorise, operation, tryOut } from '../support/swagger-page.js'

/** The two usual paths of the page, relative to the service. */
const WAYS = ['docs', 'docs/']

/**
 * The prefixes at which a proxy serves the service, each with the paths of the page that are tried.
 * `/` means no prefix.
 */
const PREFIXES = {
  '/': WAYS,
  '/auth/': [...WAYS, 'docs?from=mail', 'docs/?from=mail', 'docs/static/index.html', 'docs/static/'],
  '/platform/auth/': WAYS,
}

t.test('Swagger UI behind nginx, which removes a prefix from the path', async (t) => {
  const service = await build(t)
  const userId = await service.addUser()
  const token = await service.login()
  const origin = await startNginx(t, service.url)
  const { page, complaints } = await openBrowser(t)
  const called: string[] = []
  page.on('request', (request) => {
    if (request.resourceType() === 'fetch') called.push(new URL(request.url()).pathname)
  })

  for (const [prefix, ways] of Object.entries(PREFIXES)) {
    for (const way of ways) {
      t.test(`renders at ${prefix}${way}`, async (t) => {
        await page.goto(`${origin}${prefix}${way}`)

        await operation(page, 'identify').waitFor()
        t.equal(await page.locator('.opblock').count(), operations.length)
        t.equal(new URL(page.url()).pathname, `${prefix}docs/`)
      })
    }

    t.test(`200 from ${prefix}identify for "Try it out"`, async (t) => {
      await page.goto(`${origin}${prefix}docs`)
      await page.locator('.auth-wrapper .authorize').click()
      await authorise(page, 'bearer', { value: token })
      await page.locator('.btn-done').first().click()
      called.length = 0

      const answer = await tryOut(page, 'identify')

      t.match(answer, { status: 200, body: { data: { user_id: userId } } })
      t.strictSame(called, [`${prefix}identify`])
    })
  }

  t.test('causes no complaint of the browser', async (t) => {
    t.strictSame(complaints, [])
  })
})

/**
 * Starts an nginx that serves the service at each prefix. Resolves to its address as the browser
 * knows it.
 */
async function startNginx(t: Test, url: string): Promise<string> {
  const port = await freePort()
  const directory = temporaryDirectory('auth-nginx-')
  const locations = Object.keys(PREFIXES).map((prefix) => `location ${prefix} { proxy_pass ${url}/; }`)
  writeFileSync(
    join(directory, 'nginx.conf'),
    `daemon off; master_process off; pid nginx.pid; error_log stderr;
    events {}
    http {
      access_log off;
      client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
      server { listen 127.0.0.1:${port}; ${locations.join(' ')} }
    }`,
  )
  const nginx = spawn(requireProgram('nginx'), ['-p', directory, '-e', 'stderr', '-c', 'nginx.conf'], {
    stdio: 'ignore',
  })
  t.teardown(async () => {
    nginx.kill()
    await once(nginx, 'exit')
  })
  await until(() => reachable(port))
  return `http://${HOST}:${port}`
}
