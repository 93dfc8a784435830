import * as auth from './auth.js'

/** What whoever runs the service has told the consumer. */
interface Given {
  url: string
  mobile: string
  password: string
  /** Of no user yet. */
  newMobile: string
  /** The Authorization header of a service client. */
  credentials: string
}

type Operations = Exclude<keyof typeof auth, 'defaults' | 'servers'>

/**
 * One call of every operation, through the client that the test generates from the document. An
 * operation that is missing here, or takes or gives other types, does not compile.
 */
export function callsOf({ url, mobile, password, newMobile, credentials }: Given) {
  auth.defaults.baseUrl = url
  const client = { headers: { authorization: credentials } }

  return {
    login: () => auth.login({ mobile, password }),
    verify: async () => auth.verify({ token: await freshToken(), check: 'session' }),
    identify: async () => auth.identify(await user()),
    logout: async () => auth.logout(await user()),
    changePassword: async () => auth.changePassword({ current: password, new: password }, await user()),
    introspect: async () => auth.introspect({ token: await freshToken() }, client),
    revoke: async () => auth.revoke({ token: await freshToken() }, client),
    jwks: () => auth.jwks(),
    addUser: () => auth.addUser({ mobile: newMobile, password }, client),
    findUser: async () => auth.findUser(await userId(), client),
    setUserStatus: async () => auth.setUserStatus(await userId(), { status: 'active' }, client),
    setUserPassword: async () => auth.setUserPassword(await userId(), { password }, client),
    endUserSession: async () => auth.endUserSession(await userId(), client),
    livez: () => auth.livez(),
    readyz: () => auth.readyz(),
  } satisfies Record<Operations, () => Promise<{ status: number }>>

  async function user() {
    return { headers: { authorization: `Bearer ${await freshToken()}` } }
  }

  async function freshToken(): Promise<string> {
    return (await logIn()).token
  }

  async function userId(): Promise<number> {
    return (await logIn()).user_id
  }

  /** The status tells the compiler the form of the answer. */
  async function logIn() {
    const answer = await auth.login({ mobile, password })
    if (answer.status === 200) return answer.data.data
    const { error, msg } = answer.data
    throw new Error(`${REASONS[error] ?? error}: ${msg}`)
  }
}

const REASONS: Partial<Record<auth.ErrorName, string>> = {
  invalid_request: 'this program has a bug',
  payload_too_large: 'this program has a bug',
  unsupported_media_type: 'this program has a bug',
  invalid_credentials: 'ask the user again',
  too_many_attempts: 'ask the user to wait',
  temporarily_unavailable: 'try again in a second',
  internal: 'tell whoever runs the service',
}
