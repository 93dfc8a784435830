import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { claimsOf, PASSWORD } from '../../helper.js'
import { temporaryDirectory } from '../../support/service-process.js'
import { entryOf, type Probe, probe, request } from '../probe.js'

const GATE = fileURLToPath(new URL('../../faults/preload/gate.mjs', import.meta.url))

export const endingProbes: Probe[] = [
  probe('logout', {}, async ({ world, here, user, login, ask, accepted, refused, claim, row, held }) => {
    // An instance with recovery off beside one with recovery on: what one repairs, the other shows.
    const { url: strict } = await world.startInstance({ env: { SESSION_RECOVERY: 'off' } })
    const urls = [here, strict]
    const someone = user(0)
    const first = await login(someone)
    const second = await login(someone)
    await refused(first, 'S3: superseded', urls)

    const again = await ask('logout', first)
    claim(again.status === 200, `a logout of a superseded session was answered ${again.status}`)
    await accepted(second, 'S5: after the logout of an older session', [strict, here])

    const ended = await ask('logout', second)
    claim(ended.status === 200, `a logout was answered ${ended.status}`)
    await refused(second, 'S4: after logout', urls)
    const { session_id, stamp } = await row(someone)
    claim(session_id === null, 'the database still holds the session that logged out')
    claim((await held(someone)) === `${stamp}.`, `Redis holds no tombstone: ${await held(someone)}`)

    const { data, jti } = claimsOf(second)
    await world.sql`update user_login set session_id = ${jti}, last_login_stamp = ${data.login_time}
      where user_id = ${someone.id}`
    await refused(second, 'S4: the database has lost the logout', urls)
  }),

  probe('password change', {}, async ({ here, user, login, tryLogin, refused, accepted, claim }) => {
    const someone = user(0)
    const token = await login(someone)
    const headers = { authorization: `Bearer ${token}` }
    const change = (current: string) =>
      request(here, 'POST', '/password', headers, { current, new: 'seven dry umbrellas' })

    const wrong = await change(`${PASSWORD}.`)
    claim(wrong.status === 401, `a change with a wrong password was answered ${wrong.status}`)
    await accepted(token, 'after a refused change')

    const changed = await change(PASSWORD)
    claim(changed.status === 200, `a change of password was answered ${changed.status}`)
    await refused(token, 'S4: after a change of password')
    const old = await tryLogin(someone)
    claim(old.status === 401, `login with the old password was answered ${old.status}`)
  }),

  probe('a late join', { instances: 1, recovery: 'off' }, async (scene) => {
    const { world, here, user, login, tryLogin, ask, accepted, refused, claim, held, row } = scene
    const file = join(temporaryDirectory(), 'gate')
    const nodeArgs = ['--import', GATE]
    const { url: gated } = await world.startInstance({ nodeArgs, env: { GATE_FILE: file } })
    const someone = user(0)

    // Committed, but held before Redis.
    writeFileSync(file, 'closed')
    const held1 = await tryLogin(someone, gated)
    claim(held1.status === 503, `S6: answered ${held1.status} before Redis had acknowledged`)
    const newer = await login(someone, here)
    rmSync(file)
    await sleep(100)
    claim((await held(someone)) === entryOf(newer), 'a late join replaced a newer entry')
    await accepted(newer, 'L1: a late join of an older login', [here])

    writeFileSync(file, 'closed')
    const held2 = await tryLogin(someone, gated)
    claim(held2.status === 503, `S6: answered ${held2.status} before Redis had acknowledged`)
    const last = await login(someone, here)
    await ask('logout', last)
    rmSync(file)
    await sleep(100)
    await refused(last, 'S4: a late join after a logout', [here])
    claim((await held(someone)) === `${(await row(someone)).stamp}.`, 'a late join replaced a tombstone')
  }),

  probe('PostgreSQL refuses to commit', {}, async (scene) => {
    const { world, user, login, tryLogin, ask, accepted, claim, held } = scene
    const someone = user(0)
    const token = await login(someone)
    const readOnly = async (on: boolean) => {
      const session = await world.sql.reserve()
      await session`set default_transaction_read_only = off`
      await session.unsafe(`alter system set default_transaction_read_only = ${on ? 'on' : 'off'}`)
      await session`select pg_reload_conf()`
      session.release()
      await sleep(100)
    }

    await readOnly(true)
    const refusedLogin = await tryLogin(someone)
    claim(refusedLogin.status === 503, `login was answered ${refusedLogin.status}`)
    const refusedLogout = await ask('logout', token)
    claim(refusedLogout.status === 503, `logout was answered ${refusedLogout.status}`)
    claim((await held(someone)) === entryOf(token), 'S8: Redis knows of what was never committed')
    await accepted(token, 'while nothing can be written')
    await readOnly(false)
    await accepted(token, 'L1: when it can be written again')
  }),

  probe('Redis is full', {}, async ({ world, user, login, tryLogin, ask, accepted, claim, row }) => {
    const someone = user(0)
    const token = await login(someone)
    await world.redisClient.config('SET', 'maxmemory', '1mb')
    const { status } = await tryLogin(someone)
    claim(status === 503, `login was answered ${status}`)
    const { session_id } = await row(someone)
    claim(session_id === claimsOf(token).jti, 'a login that was answered 503 ended the earlier session')
    await accepted(token, 'while Redis takes no writes')
    const logout = await ask('logout', token)
    claim(logout.status === 503, `logout was answered ${logout.status}`)
    await world.redisClient.config('SET', 'maxmemory', '0')
    const retried = await ask('logout', token)
    claim(retried.status === 200, `a repeated logout was answered ${retried.status}`)
  }),
]
