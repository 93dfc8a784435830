import t from 'tap'
import { deviationsOf, type Exchange } from '../support/deviations.js'

const JSON_TYPE = { 'content-type': 'application/json; charset=utf-8', date: 'today' }

/** Answers that match the document. The tests change one thing in each. */
const identified = {
  ...{ method: 'GET', path: '/identify', status: 200 },
  headers: { ...JSON_TYPE, 'x-user-id': '1', 'x-session-id': 'u2zx' },
  body: { code: 200, msg: 'ok', data: { user_id: 1, login_time: 2, expires_at: 3 } },
}
const refused = {
  ...{ method: 'POST', path: '/verify', status: 401 },
  headers: { ...JSON_TYPE, 'www-authenticate': 'Bearer' },
  body: { code: 401, error: 'session_ended', msg: 'It has ended.' },
}
const away = {
  ...{ method: 'GET', path: '/livez', status: 503 },
  headers: { ...JSON_TYPE, 'retry-after': '1' },
  body: { code: 503, error: 'temporarily_unavailable', msg: 'Wait.' },
}
const lost = {
  ...{ method: 'GET', path: '/nowhere', status: 404, headers: JSON_TYPE },
  body: { code: 404, error: 'not_found', msg: 'Nothing here.' },
}
const otherMethod = {
  ...{ method: 'GET', path: '/login', status: 405, headers: { ...JSON_TYPE, allow: 'POST' } },
  body: { code: 405, error: 'method_not_allowed', msg: 'Only POST.' },
}
const revoked = { method: 'POST', path: '/revoke', status: 200, headers: { date: 'today' }, body: undefined }
const page = { method: 'GET', path: '/docs/', status: 200, headers: { 'content-type': 'text/html' }, body: 1 }

t.test('finds nothing in answers that match the document', async (t) => {
  for (const [name, answer] of Object.entries({
    ...{ identified, refused, away, lost, otherMethod, revoked, page },
    'the front page': { ...page, path: '/' },
    'a path below /identify': { ...identified, path: '/identify/%zz?a=b' },
    'another method of /identify': { ...identified, method: 'PROPFIND' },
    'an absolute address': { ...identified, path: 'http://auth.test/identify' },
    'HEAD, without a body': { ...away, method: 'HEAD', body: undefined },
    'another method below /docs': { ...otherMethod, path: '/docs/json' },
    'TRACE at /identify': { ...lost, method: 'TRACE', path: '/identify' },
    'no request at all': {
      ...lost,
      status: 400,
      body: { ...lost.body, code: 400, error: 'invalid_request' },
    },
  })) {
    t.strictSame(found(answer), [], name)
  }
})

t.test('finds each deviation from the document', async (t) => {
  const { 'www-authenticate': _, ...unchallenged } = refused.headers
  for (const [name, answer] of Object.entries({
    'another status': { ...refused, status: 402 },
    'a status of other operations': { ...away, status: 429 },
    'the status of another refusal': { ...refused, body: { ...refused.body, code: 400 } },
    'a refusal of other operations': { ...refused, body: { ...refused.body, error: 'token_missing' } },
    'a member more': { ...refused, body: { ...refused.body, data: {} } },
    'a member more inside': {
      ...identified,
      body: { ...identified.body, data: { ...identified.body.data, id: 1 } },
    },
    'a member less': { ...identified, body: { code: 200, msg: 'ok' } },
    'a member of another type': { ...refused, body: { ...refused.body, msg: 1 } },
    'no body': { ...refused, body: '' },
    'a body where there is none': { ...revoked, body: {} },
    'another content type': { ...refused, headers: { ...refused.headers, 'content-type': 'text/plain' } },
    'a header less': { ...refused, headers: unchallenged },
    'a header more': { ...lost, headers: { ...lost.headers, 'x-user-id': '1' } },
    'a header of another type': { ...away, headers: { ...away.headers, 'retry-after': 'soon' } },
    'success where nothing is': { ...identified, path: '/identifyx' },
    TRACE: { ...identified, method: 'TRACE' },
    '404 for another method': { ...lost, path: '/login' },
    '405 where nothing is': { ...otherMethod, path: '/nowhere' },
    '405 without Allow': { ...otherMethod, headers: JSON_TYPE },
    'a failure that is no refusal below /docs': { ...page, status: 404 },
  })) {
    t.not(found(answer).length, 0, name)
  }
})

/** The deviations of an answer with this body. */
function found({ body, ...rest }: Omit<Exchange, 'text'> & { body: unknown }): string[] {
  return deviationsOf({ ...rest, text: body === undefined ? '' : JSON.stringify(body) })
}
