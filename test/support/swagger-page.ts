import type { Locator, Page } from 'playwright-core'

/** The block of an operation on the page. */
export function operation(page: Page, operationId: string): Locator {
  return page.locator(`.opblock[id$="-${operationId}"]`)
}

/** Fills in the form of a security scheme in the dialogue. */
export async function authorise(page: Page, scheme: string, values: Record<string, string>): Promise<void> {
  const form = page.locator('.auth-container form').filter({ has: page.locator(`code:text-is("${scheme}")`) })
  for (const [name, value] of Object.entries(values))
    await form.locator(`[aria-label$="-${name}"]`).fill(value)
  await form.locator('.authorize').click()
}

/** Fills in the form of an operation, sends it, and reads the answer that the page shows. */
export async function tryOut(page: Page, operationId: string, fields: Record<string, string> = {}) {
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
