import { claimsOf, PASSWORD, SECRET } from '../../helper.js'
import { encode, forge, headerOf } from '../../support/tokens/forge.js'
import { type Probe, probe, request } from '../probe.js'

/** Another key of the same length. */
const OTHER_KEY = SECRET.split('').reverse().join('')

export const tokenProbes: Probe[] = [
  probe('forged tokens', { recovery: 'off' }, async ({ user, login, claim, ask, accepted, refused }) => {
    const good = await login(user(0))
    const header = headerOf(good)
    const claims = claimsOf(good)
    const [head = '', payload = '', signature = ''] = good.split('.')

    // If this one were refused, the refusals below would prove nothing.
    await accepted(forge(header, claims, SECRET), 'a copy made with the right key')

    const forged: Record<string, string> = {
      'without a signature': `${head}.${payload}.`,
      'alg none': `${encode({ ...header, alg: 'none' })}.${payload}.`,
      'alg none, signed': `${encode({ ...header, alg: 'none' })}.${payload}.${signature}`,
      // The good token was checked before. What is remembered of it must not count for this one.
      'the payload of another user': `${head}.${(await login(user(1))).split('.')[1]}.${signature}`,
      'another key': forge(header, claims, OTHER_KEY),
      'an empty key': forge(header, claims, ''),
      'another algorithm': forge({ ...header, alg: 'HS384' }, claims, SECRET, 'sha384'),
      'typ JWT': forge({ ...header, typ: 'JWT' }, claims, SECRET),
      'no typ': forge({ alg: header.alg, kid: header.kid }, claims, SECRET),
      'another issuer': forge(header, { ...claims, iss: 'somebody' }, SECRET),
      'an audience': forge(header, { ...claims, aud: 'somebody' }, SECRET),
      'another sub': forge(header, { ...claims, sub: String(user(1).id) }, SECRET),
      'one claim more': forge(header, { ...claims, admin: true }, SECRET),
      expired: forge(header, { ...claims, iat: claims.iat - 9e4, exp: claims.exp - 9e4 }, SECRET),
    }
    for (const [name, token] of Object.entries(forged)) {
      await refused(token, name)
      // An expired token may log out. A forged token must not end anything.
      const ended = name === 'expired' ? undefined : await ask('logout', token)
      claim(ended === undefined || ended.status === 401, `${name}: logout was answered ${ended?.status}`)
    }
    const { status } = await ask('logout', forged.expired ?? '')
    claim(status === 200, `an expired token: logout was answered ${status}`)
  }),

  probe('credentials', {}, async ({ world, here, user, login, tryLogin, claim, accepted }) => {
    const [someone, disabled] = [user(0), user(1)]
    const earlier = await login(someone)
    await world.sql`update user_login set status = 'disabled' where user_id = ${disabled.id}`

    const attempts: [string, number, () => ReturnType<typeof tryLogin>][] = [
      ['a wrong password', 401, () => tryLogin(someone, here, `${PASSWORD}.`)],
      ['an unknown user', 401, () => tryLogin({ id: 0, mobile: '+8613912345678' })],
      ['a disabled user', 401, () => tryLogin(disabled)],
      // bcrypt reads only up to a NUL, and only 72 bytes.
      ['NUL behind the password', 400, () => tryLogin(someone, here, `${PASSWORD}\0and more`)],
      ['74 bytes', 400, () => tryLogin(someone, here, 'é'.repeat(37))],
      [
        'a member more',
        400,
        () => request(here, 'POST', '/login', {}, { mobile: someone.mobile, password: PASSWORD, x: 1 }),
      ],
    ]
    for (const [name, expected, attempt] of attempts) {
      const { status, body } = await attempt()
      claim(status === expected, `${name}: login was answered ${status}, not ${expected}`)
      claim(body?.data === undefined, `${name}: something was given`)
    }
    await accepted(earlier, 'after failed logins')
  }),

  probe('changed meanwhile', { recovery: 'off' }, async (scene) => {
    const { user, login, tryLogin, claim, accepted, meanwhile, ask, row } = scene
    const [disabled, changed, elsewhere] = [user(0), user(1), user(2)]

    const late = await meanwhile(disabled, { status: 'disabled' }, () => tryLogin(disabled))
    claim(late.status === 401, `disabled while logging in: ${late.status}`)

    const otherHash = (await row(changed)).password.replace(/.$/, (last) => (last === 'i' ? 'j' : 'i'))
    const old = await meanwhile(changed, { password: otherHash }, () => tryLogin(changed))
    claim(old.status === 401, `logged in with a password changed meanwhile: ${old.status}`)

    const first = await login(elsewhere)
    const { data } = claimsOf(first)
    const session = 'n'.repeat(32)
    const next = { session_id: session, last_login_stamp: data.login_time + 1 }
    await meanwhile(elsewhere, next, () => ask('logout', first))
    const after = (await row(elsewhere)).session_id
    claim(after === session, `S5: a logout ended the login that overtook it (${after})`)
    const payload = { ...claimsOf(first), jti: session, data: { ...data, login_time: data.login_time + 1 } }
    await accepted(forge(headerOf(first), payload, SECRET), 'S5: the login that overtook a logout')
  }),
]
