import assert from 'node:assert'
import { mkdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { build, MOBILE, PASSWORD } from '../helper.js'
import { HOST, openBrowser } from '../support/browser.js'
import { operations } from '../support/openapi.js'
import { until } from '../support/servers.js'
import { authorise, operation, tryOut } from '../support/swagger-page.js'

/** Files that a test leaves for people to look at. Git ignores the folder. */
const ARTEFACTS = fileURLToPath(new URL('../../.artefacts/', import.meta.url))

const WHOLE = { width: 1280, height: 1600 }

/** Run in the page: how far the dialogue is scrolled, and the field that has the focus. */
const SCROLLED = "document.querySelector('.modal-ux-content').scrollTop"
const FOCUSED = 'document.activeElement.id'

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

  t.test('opens the dialogue for credentials at the token, also on a small screen', async (t) => {
    await page.setViewportSize({ width: 390, height: 600 })
    await page.locator('.auth-wrapper .authorize').click()
    const first = page.locator('.auth-container').first()
    await first.waitFor()

    t.match(await first.innerText(), /^bearer/)
    await until(async () => {
      assert.equal(await page.evaluate(SCROLLED), 0)
      assert.equal(await page.evaluate(FOCUSED), await first.locator('input').getAttribute('id'))
    })
    await page.locator('.btn-done').first().click()
    await page.setViewportSize(WHOLE)
  })

  t.test('401 without a prompt of the browser, which would wait for an answer', async (t) => {
    const prompts: string[] = []
    const session = await page.context().newCDPSession(page)
    session.on('Fetch.requestPaused', ({ requestId }) => {
      void session.send('Fetch.continueRequest', { requestId })
    })
    session.on('Fetch.authRequired', ({ requestId, request }) => {
      prompts.push(request.url)
      const authChallengeResponse = { response: 'CancelAuth' } as const
      void session.send('Fetch.continueWithAuth', { requestId, authChallengeResponse })
    })
    await session.send('Fetch.enable', { handleAuthRequests: true })

    const refused = await tryOut(page, 'introspect', { token: 'x.y.z' })

    t.match(refused, { status: 401, body: { error: 'invalid_client' } })
    t.strictSame(prompts, [])
    await session.detach()
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

  t.test('stores neither of them in the browser', async (t) => {
    const kept = await page.evaluate(
      'JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie])',
    )

    t.equal(kept, '[{},{},""]')
  })

  t.test('200 for operations that require them', async (t) => {
    const identified = await tryOut(page, 'identify')
    const verified = await tryOut(page, 'verify', { token })
    const introspected = await tryOut(page, 'introspect', { token })

    t.match(identified, { status: 200, body: { data: { user_id: userId } } })
    t.match(verified, { status: 200, body: { data: { user_id: userId } } })
    t.match(introspected, { status: 200, body: { active: true, sub: String(userId) } })
  })

  t.test('401 with its reason after a logout', async (t) => {
    await service.logout(token)

    const refused = await tryOut(page, 'identify')

    t.match(refused, { status: 401, body: { error: 'session_ended' } })
    t.match(
      await operation(page, 'identify').innerText(),
      'Send exactly one token: Authorization: Bearer <token>.',
    )
  })

  t.test('causes no complaint of the browser', async (t) => {
    mkdirSync(ARTEFACTS, { recursive: true })
    const path = `${ARTEFACTS}swagger-ui.png`
    await page.screenshot({ path, fullPage: true })
    t.comment(path)

    t.strictSame(complaints, [])
  })
})
