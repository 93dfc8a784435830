/**
 * The same check as a textbook shows it: @fastify/jwt for the token, and for every request a query
 * built by drizzle and a GET. Listens on PORT until it is killed.
 */
import fastifyJwt from '@fastify/jwt'
import fastifyRedis from '@fastify/redis'
import { eq } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/postgres-js'
import Fastify from 'fastify'
import postgres from 'postgres'
import { Identity } from '../../src/http/routes/identify.js'
import { Ok, ok } from '../../src/http/schemas.js'
import { userLogin } from '../../src/stores/postgres/schema.js'
import type { Claims } from '../../src/tokens/tokens.js'

const { DATABASE_URL = '', REDIS_URL = '', JWT_SECRET = '', PORT } = process.env
const database = drizzle(postgres(DATABASE_URL))
const app = Fastify()
await app.register(fastifyRedis, { url: REDIS_URL })
await app.register(fastifyJwt, { secret: JWT_SECRET })

app.addHook('preHandler', async (request, reply) => {
  const { jti, data } = await request.jwtVerify<Claims>()
  const [[row], entry] = await Promise.all([
    database.select().from(userLogin).where(eq(userLogin.userId, data.id)),
    app.redis.get(`jwt_token:${data.id}`),
  ])
  const isLive = row?.sessionId === jti && entry === `${data.login_time}.${jti}`
  if (!isLive) return reply.code(401).send({ code: 401, error: 'session_ended' })
})
app.get('/identify', { schema: { response: { 200: Ok(Identity, '') } } }, async (request) => {
  const { data, exp } = request.user as Claims
  return ok({ user_id: data.id, login_time: data.login_time, expires_at: exp })
})
await app.listen({ host: '127.0.0.1', port: Number(PORT) })
