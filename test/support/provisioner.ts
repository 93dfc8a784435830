import { type Answer, basic, type Credentials, send } from '../helper.js'

/** The calls of the sibling service that registers users to one instance, with its credentials. */
export function provisioner(url: string, client: Credentials) {
  return {
    ask,
    add: (body: unknown) => ask('POST', '/users', body),
    find: (id: number) => ask('GET', `/users/${id}`),
    setStatus: (id: number, status: unknown) => ask('PATCH', `/users/${id}`, { status }),
    setPassword: (id: number, password: unknown) => ask('PUT', `/users/${id}/password`, { password }),
    endSession: (id: number) => ask('DELETE', `/users/${id}/session`),
  }

  function ask(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    return send(url, method, path, {
      headers: { authorization: basic(client), ...headers },
      ...(body === undefined ? {} : { body }),
    })
  }
}
