import assert from 'node:assert'
import { connect } from 'node:net'
import type { SchemaObject } from 'ajv'
import { pino } from 'pino'
import t from 'tap'
import { build, MOBILE } from '../helper.js'
import { type Cause, createCast } from '../support/cast.js'
import { validatorOf } from '../support/deviations.js'
import { exampleRequest } from '../support/example-requests.js'
import { examplesOf, type MediaType, type Operation, operations, resolved } from '../support/openapi.js'
import { until } from '../support/servers.js'

t.test('every example is valid by its schema', async (t) => {
  const examples = [...examplesIn(resolved)]

  for (const { schema, example } of examples) {
    t.ok(validatorOf(schema)(example), `${JSON.stringify(example)}: ${schema.description}`)
  }
  t.ok(examples.length > 50)
})

t.test('the service answers every example as the document shows it', async (t) => {
  const { service, causes, somebody, newMobile, ask } = await createCast(t)
  await somebody(MOBILE)

  for (const operation of operations) {
    t.test(
      `${operation.operationId}: 200 for the example, with a whole token or a new number where it needs one`,
      async (t) => {
        const asShown = await ask(operation, await somebody(), { about: {} })
        const asker = await somebody()
        const about = operation.operationId === 'addUser' ? { mobile: newMobile() } : asker
        const again = await ask(operation, asker, { about })

        t.ok(asShown.status === 200 || asShown.body.error === CUT_SHORT, asShown.text)
        t.equal(again.status, 200, again.text)
      },
    )

    for (const { status, example } of refusalsOf(operation).filter(({ status }) => status < 500)) {
      t.test(`${operation.operationId}: ${status} ${example.error}`, async (t) => {
        const answer = await causes[example.error as Cause](operation)

        t.match(answer, { status, body: { error: example.error } })
        t.strictSame(Object.keys(answer.body), Object.keys(example))
      })
    }
  }

  t.test('503 temporarily_unavailable from all operations, while the service closes', async (t) => {
    const closing = await build(t, { backends: service.backends })
    // While a connection is open, the instance answers 503 to new requests.
    const connection = connect(Number(new URL(closing.url).port), '127.0.0.1')
    t.teardown(() => connection.destroy())
    const asker = await somebody()
    void closing.app.close()
    await until(async () => assert.equal((await closing.call('GET', '/livez')).status, 503))

    const asked = operations.map((operation) => closing.call(...exampleRequest(operation, asker)))
    for (const answer of await Promise.all(asked)) t.equal(answer.body.error, 'temporarily_unavailable')
  })

  t.test(
    '500 internal from all operations that ask a store, when it has a bug, which the log names',
    async (t) => {
      const lines: unknown[] = []
      const log = pino({ level: 'error' }, { write: (line: string) => void lines.push(JSON.parse(line)) })
      const broken = await build(t, { backends: service.backends, log })
      const { accounts, registry, serviceClients } = broken.stores
      for (const store of [accounts, registry, serviceClients] as Record<string, unknown>[]) {
        for (const name of Object.keys(store)) store[name] = () => Promise.reject(new TypeError('a bug'))
      }

      const asker = await somebody()
      for (const operation of operations.filter(
        ({ operationId }) => !ASKING_NO_STORE.includes(operationId),
      )) {
        const answer = await broken.call(...exampleRequest(operation, asker))
        t.match(answer, { status: 500, body: { error: 'internal' } }, operation.operationId)
        const line = { msg: 'unexpected error', err: { message: 'a bug' }, request_id: String }
        t.match(lines.splice(0), [line], `${operation.operationId} says so in the log, once`)
      }
    },
  )
})

/** Operations that the replaced functions do not reach: /readyz has kept those of the start. */
const ASKING_NO_STORE = ['livez', 'readyz', 'jwks']

/** The document shows no whole token. */
const CUT_SHORT = 'token_invalid'

interface Shown {
  schema: SchemaObject
  example: unknown
}

function* examplesIn(node: unknown): Generator<Shown> {
  if (typeof node !== 'object' || node === null) return
  const { schema, examples } = node as Partial<MediaType & SchemaObject>
  const shown = schema ? examplesOf(node as MediaType) : Array.isArray(examples) ? examples : []
  for (const example of shown) yield { schema: schema ?? (node as SchemaObject), example }
  for (const child of Object.values(node)) yield* examplesIn(child)
}

function refusalsOf({ responses }: Operation): { status: number; example: { error: string } }[] {
  const refused = Object.entries(responses).filter(([status]) => Number(status) >= 400)
  return refused.flatMap(([status, { content = {} }]) =>
    Object.values(content).flatMap((media) =>
      (examplesOf(media) as { error: string }[]).map((example) => ({ status: Number(status), example })),
    ),
  )
}
