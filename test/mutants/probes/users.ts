import { basic, clientInserter, PASSWORD } from '../../helper.js'
import { type Probe, probe, request, type Scene } from '../probe.js'

const NEW_PASSWORD = 'eight dry parasols'

export const userProbes: Probe[] = [
  probe('provisioning', {}, async (scene) => {
    const { here, there, user, login, tryLogin, refused, claim } = scene
    const ask = await sibling(scene)
    const [someone, another, third] = [user(0), user(1), user(2)]

    const disabled = await login(someone)
    await ask('PATCH', `/users/${someone.id}`, { status: 'disabled' })
    await isTombstone(scene, someone, 'a disabled user')
    await refused(disabled, 'S4: after the user was disabled')
    claim((await tryLogin(someone, there)).status === 401, 'a disabled user has logged in')
    await ask('PATCH', `/users/${someone.id}`, { status: 'active' })
    await refused(disabled, 'S4: after the user was enabled again')

    const outdated = await login(another)
    await ask('PUT', `/users/${another.id}/password`, { password: NEW_PASSWORD })
    await isTombstone(scene, another, 'a user with a new password')
    await refused(outdated, 'S4: after a new password')
    claim((await tryLogin(another, here, PASSWORD)).status === 401, 'the old password was accepted')

    const ended = await login(third)
    await ask('DELETE', `/users/${third.id}/session`)
    await isTombstone(scene, third, 'a user whose session was ended')
    await refused(ended, 'S4: after the session was ended')
  }),

  probe('provisioning while Redis is full', {}, async (scene) => {
    const { world, user, login, tryLogin, claim, here } = scene
    const ask = await sibling(scene)
    const someone = user(0)
    await login(someone)
    await world.redisClient.config('SET', 'maxmemory', '1mb')
    for (const [method, path, body] of [
      ['PUT', `/users/${someone.id}/password`, { password: NEW_PASSWORD }],
      ['DELETE', `/users/${someone.id}/session`, undefined],
      ['PATCH', `/users/${someone.id}`, { status: 'disabled' }],
    ] as const) {
      await ask(method, path, body, 503)
    }
    await world.redisClient.config('SET', 'maxmemory', '0')
    await ask('PATCH', `/users/${someone.id}`, { status: 'active' })
    const { status } = await tryLogin(someone, here, PASSWORD)
    claim(status === 200, 'a new password that was answered 503 counts, although Redis was away before it')
  }),
]

/** Sends requests as the sibling that registers users, and claims their status. */
async function sibling({ world, here, claim }: Scene) {
  const authorization = basic(await clientInserter(world.sql)(['users']))
  return async (method: string, path: string, body?: object, expected = 200) => {
    const { status } = await request(here, method, path, { authorization }, body)
    claim(status === expected, `${method} ${path} was answered ${status}`)
  }
}

async function isTombstone({ row, held, claim }: Scene, who: ReturnType<Scene['user']>, name: string) {
  const { session_id, stamp } = await row(who)
  claim(session_id === null, `the database still holds the session of ${name}`)
  claim((await held(who)) === `${stamp}.`, `Redis holds no tombstone of ${name}`)
}
