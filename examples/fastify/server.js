import { requireSession } from '@auth-service/client/fastify'
import Fastify from 'fastify'

const { AUTH_URL = 'http://127.0.0.1:3000', PORT = '4000' } = process.env

const app = Fastify({ logger: true })

app.get('/livez', async () => ({ code: 200, msg: 'ok' }))

await app.register(async function tokenHolders(scope) {
  await scope.register(requireSession, { url: AUTH_URL })

  scope.get('/videos/mine', async ({ session }) => ({
    code: 200,
    msg: 'ok',
    data: { user_id: session.userId, videos: [] },
  }))
})

await app.listen({ host: '127.0.0.1', port: Number(PORT) })
