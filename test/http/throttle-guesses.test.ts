import t, { type Test } from 'tap'
import { type Backends, build, type Service, SPELLINGS, startBackends } from '../helper.js'

t.test('parallel guesses with every spelling of the number', async (t) => {
  const guesses = (services: Service[]) =>
    Promise.all(
      Array.from({ length: 200 }, (_, guess) => {
        const service = services[guess % services.length] as Service
        const mobile = SPELLINGS[guess % SPELLINGS.length]
        return service.call('POST', '/login', { body: { mobile, password: `guess number ${guess}` } })
      }),
    )
  const startInstances = async (t: Test, count: number, backends: Backends) => {
    const services: Service[] = []
    for (let instance = 0; instance < count; instance++) {
      services.push(await build(t, { backends, env: { BCRYPT_COST: '10' } }))
    }
    return services
  }

  for (const instances of [1, 3]) {
    t.test(`hashes at most LOGIN_MAX_FAILURES of 600 guesses, instances: ${instances}`, async (t) => {
      const backends = await startBackends(t)
      const services = await startInstances(t, instances, backends)
      await services[0]?.addUser()

      const statuses: number[] = []
      for (let round = 0; round < 3; round++)
        for (const { status } of await guesses(services)) statuses.push(status)

      t.strictSame(
        [...new Set(statuses)].filter((status) => ![401, 429, 503].includes(status)),
        [],
      )
      const refused = statuses.filter((status) => status === 401).length
      t.ok(refused <= 10, `${refused} answers after a comparison`)
      // Whatever the answers: the row counts every hashed attempt, since the others are given back.
      const redis = services[0]?.redisClient
      const [key = ''] = (await redis?.keys('login_failures:account:*')) ?? []
      const hashed = Number(await redis?.hget(key, 'in_row'))
      t.ok(hashed > 0 && hashed <= 10, `${hashed} hashed`)
    })
  }
})
