import assert from 'node:assert'
import { mkdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Locator, Page } from 'playwright-core'
import t from 'tap'
import { build, MOBILE, PASSWORD } from './helper.js'
import { HOST, openBrowser } from './support/browser.js'
import { operations } from './support/openapi.js'
import { until } from './support/servers.js'

/** Git ignores it: what a test leaves for people to look at. */
const ARTEFACTS = fileURLToPath(new URL('../.artefacts/', import.meta.url))

t.test('Swagger UI in a browser', async (t) => {
  const service = await build(t)
  const userId = await service.addUser()
  const client = await service.addClient(['introspect'])
  let token = ''
  const { page, complaints } = await openBrowser(t)
  await page.goto(`${service.url.replace('127.0.0.1', HOST)}/docs`)

  t.test('shows every operation', async (t) => {
    await page
      .locator('.opblock')
      .nth(operations.length - 1)
      .waitFor()

    t.equal(await page.locator('.opblock').count(), operations.length)
  })

  t.test('logs in', async (t) => {
    const loggedIn = async () => {
      const answer = await tryOut(page, 'login', { mobile: MOBILE, password: PASSWORD })
      // A busy machine may refuse to hash a password just now.
      assert.equal(answer.status, 200)
      return answer
    }
    const { body } = await until(loggedIn, { withinMs: 60_000 })

    t.equal(body.data.user_id, userId)
    token = body.data.token
  })

  t.test('takes the token and the credentials of a service client', async (t) => {
    await page.locator('.auth-wrapper .authorize').click()
    await authorise(page, 'bearer', { value: token })
    await authorise(page, 'client', { username: client.name, password: client.secret })
    await page.locator('.btn-done').first().click()

    t.equal(await page.locator('.auth-wrapper .authorize.locked').count(), 1)
  })

  t.test('shows them where they are asked for: 200', async (t) => {
    const identified = await tryOut(page, 'identify')
    const verified = await tryOut(page, 'verify', { token })
    const introspected = await tryOut(page, 'introspect', { token })

    t.match(identified, { status: 200, body: { data: { user_id: userId } } })
    t.match(verified, { status: 200, body: { data: { user_id: userId } } })
    t.match(introspected, { status: 200, body: { active: true, sub: String(userId) } })
  })

  t.test('shows a refusal with its reason: 401', async (t) => {
    await service.logout(token)

    const refused = await tryOut(page, 'identify')

    t.match(refused, { status: 401, body: { error: 'session_ended' } })
    t.match(
      await operation(page, 'identify').innerText(),
      'Send exactly one token: Authorization: Bearer <token>.',
    )
  })

  t.test('has nothing to complain about', async (t) => {
    mkdirSync(ARTEFACTS, { recursive: true })
    const path = `${ARTEFACTS}swagger-ui.png`
    await page.screenshot({ path, fullPage: true })
    t.comment(path)

    t.strictSame(complaints, [])
  })
})

function operation(page: Page, operationId: string): Locator {
  return page.locator(`.opblock[id$="-${operationId}"]`)
}

async function authorise(page: Page, scheme: string, values: Record<string, string>): Promise<void> {
  const form = page.locator('.auth-container form').filter({ has: page.locator(`code:text-is("${scheme}")`) })
  for (const [name, value] of Object.entries(values))
    await form.locator(`[aria-label$="-${name}"]`).fill(value)
  await form.locator('.authorize').click()
}

/** Fills the form of an operation, sends it, and reads the answer that the page shows. */
async function tryOut(page: Page, operationId: string, fields: Record<string, string> = {}) {
  const block = operation(page, operationId)
  const clear = block.locator('.btn-clear')
  if (await clear.isVisible()) await clear.click()
  else await block.locator('.opblock-summary-control').click()
  await block.locator('.execute').waitFor()

  const json = block.locator('.body-param__text')
  const input = (name: string) => block.locator(`[data-property-name="${name}"] input[type=text]`)
  const [first] = Object.keys(fields)
  // The page shows its button a moment before the fields.
  if (first) await json.or(input(first)).waitFor()
  if (await json.isVisible()) await json.fill(JSON.stringify(fields))
  else for (const [name, value] of Object.entries(fields)) await input(name).fill(value)
  await block.locator('.execute').click()

  const answer = block.locator('.live-responses-table tr.response')
  const status = await answer.locator('.response-col_status').innerText()
  const body = await answer.locator('.highlight-code pre').innerText()
  return { status: Number.parseInt(status, 10), body: JSON.parse(body) }
}
