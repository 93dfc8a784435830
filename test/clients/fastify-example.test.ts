import { basename } from 'node:path'
import t from 'tap'
import { build, send } from '../helper.js'
import { packedClient } from '../support/packed-client.js'
import { marked, readProject, startFastify } from '../support/siblings.js'

const PROGRAMS = {
  'the Fastify example': {
    text: readProject('examples/fastify/server.js'),
    mine: (userId: number) => ({ code: 200, msg: 'ok', data: { user_id: userId, videos: [] } }),
  },
  'the Fastify service of docs/siblings.md': {
    text: marked(readProject('docs/siblings.md'), 'serve: fastify'),
    mine: (userId: number) => ({ user_id: userId }),
  },
  'the Fastify service of the package’s README': {
    text: marked(readProject('clients/node/README.md'), 'serve: fastify'),
    mine: (userId: number) => ({ user_id: userId }),
  },
}

for (const [name, { text, mine }] of Object.entries(PROGRAMS)) {
  t.test(`200, 401 after a logout and 503 in an outage from ${name} as printed`, async (t) => {
    const service = await build(t)
    const userId = await service.addUser()
    const token = await service.login()
    const sibling = await startFastify(t, text, service.url)
    const ask = () => send(sibling.url, 'GET', '/videos/mine', { token })

    t.strictSame((await ask()).body, mine(userId))

    await service.logout(token)
    t.match(await ask(), { status: 401, body: { code: 401, error: 'session_ended' } })

    await service.app.close()
    const answer = await ask()
    t.match(answer, { status: 503, body: { code: 503, error: 'temporarily_unavailable' } })
    t.equal(answer.headers.get('retry-after'), '1')
  })
}

t.test('depends on the package under the file name that npm pack gives it', async (t) => {
  const { dependencies } = JSON.parse(readProject('examples/fastify/package.json'))
  const { name } = JSON.parse(readProject('clients/node/package.json'))

  t.equal(dependencies[name], `file:${basename(packedClient())}`)
})
