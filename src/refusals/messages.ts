import type { Language } from './language.js'

/** A text in every language. A missing language does not compile. */
export type Message = Record<Language, string>

/**
 * Messages for people, by the slug that programs read. The English is ASCII, because challenges
 * carry it in a header.
 */
export const MESSAGES = {
  invalid_request: { en: 'The request is not well-formed.', zh: '请求格式不正确。' },
  token_missing: {
    en: 'Send exactly one token: Authorization: Bearer <token>.',
    zh: '请携带且仅携带一个令牌：Authorization: Bearer <token>。',
  },
  token_invalid: { en: 'The token is not valid.', zh: '令牌无效。' },
  token_expired: { en: 'The token has expired: log in again.', zh: '令牌已过期，请重新登录。' },
  session_superseded: {
    en: 'This session ended because the user logged in elsewhere.',
    zh: '该账号已在别处登录，本次会话已结束。',
  },
  session_ended: { en: 'This session has ended: log in again.', zh: '会话已结束，请重新登录。' },
  user_disabled: { en: 'The account is disabled.', zh: '账号已被停用。' },
  invalid_credentials: { en: 'The mobile number or the password is wrong.', zh: '手机号或密码错误。' },
  invalid_client: {
    en: 'The credentials of the service client are missing or wrong.',
    zh: '服务客户端的凭据缺失或错误。',
  },
  not_allowed: { en: 'The service client lacks this permission.', zh: '该服务客户端没有此权限。' },
  not_found: { en: 'There is nothing at this address.', zh: '请求的地址不存在。' },
  method_not_allowed: {
    en: 'This address does not answer this method: see the Allow header.',
    zh: '该地址不支持此请求方法，请查看 Allow 响应头。',
  },
  request_timeout: { en: 'The request took too long to arrive.', zh: '请求接收超时。' },
  mobile_taken: { en: 'mobile is taken by another user', zh: 'mobile 已被其他用户使用' },
  payload_too_large: { en: 'The request body is too large.', zh: '请求体过大。' },
  unsupported_media_type: {
    en: 'Send the body as application/json, or as a form to /introspect and /revoke.',
    zh: '请以 application/json 格式发送请求体；/introspect 和 /revoke 请使用表单格式。',
  },
  too_many_attempts: {
    en: 'Too many failed attempts: wait before the next try.',
    zh: '失败次数过多，请稍后再试。',
  },
  headers_too_large: { en: 'The request headers are too large.', zh: '请求头过大。' },
  internal: { en: 'Something went wrong here.', zh: '服务内部出错。' },
  temporarily_unavailable: {
    en: 'The service cannot answer just now: try again in a second.',
    zh: '服务暂时无法响应，请一秒后重试。',
  },
} as const satisfies Record<string, Message>

/** The request field that a message names. A message never holds the field's value. */
export type PasswordField = 'password' | 'current' | 'new'

/** Messages that say more than the slug's own. */
export const DETAILS = {
  noSuchUser: { en: 'There is no such user.', zh: '用户不存在。' },
  notAMobile: { en: 'mobile is not a phone number', zh: 'mobile 不是有效的电话号码' },
  bodyNotJson: { en: 'body is not JSON', zh: 'body 不是有效的 JSON' },
  bodyNotUtf8: { en: 'body is not UTF-8', zh: 'body 不是有效的 UTF-8' },
  otherCharset: { en: 'charset must be UTF-8', zh: 'charset 必须是 UTF-8' },
  severalContentTypes: { en: 'there are several content types', zh: '存在多个 content-type' },
  holdsHalfPair: {
    en: 'body holds an escape that is half a surrogate pair',
    zh: 'body 含有不成对的代理项转义',
  },
  badEscapes: { en: 'body holds %-escapes that are not UTF-8', zh: 'body 中的 %-转义不是有效的 UTF-8' },
  holdsNul: (field: PasswordField) => ({
    en: `${field} holds a NUL character`,
    zh: `${field} 含有 NUL 字符`,
  }),
  tooManyBytes: (field: PasswordField, most: number) => ({
    en: `${field} is longer than ${most} bytes`,
    zh: `${field} 超过 ${most} 字节`,
  }),
  tooFewCharacters: (field: PasswordField, least: number) => ({
    en: `${field} is shorter than ${least} characters; a short sentence is long enough`,
    zh: `${field} 少于 ${least} 个字符；一个短句就够长`,
  }),
  tooCommon: (field: PasswordField) => ({
    en: `${field} is too easy to guess: common words, rows of keys, sequences or repetitions; use a short sentence of your own`,
    zh: `${field} 太容易被猜到：由常见密码、键盘顺序、连续或重复的字符组成；请用自己的一个短句`,
  }),
  isOwnMobile: (field: PasswordField) => ({
    en: `${field} is little more than the mobile number of the account`,
    zh: `${field} 几乎就是本账号的手机号`,
  }),
} as const satisfies Record<string, Message | ((field: PasswordField, limit: number) => Message)>

/** One error of the schema validator: the broken rule, and its parameters from the schema. */
interface BrokenRule {
  keyword: string
  params: Record<string, unknown>
}

/**
 * A broken rule of JSON Schema as a message. Repeats text of the schema, and of the request only
 * the plain name of an unknown field: `params` may hold more.
 *
 * @param place the part of the request, such as `body` or `body/mobile`.
 */
export function ruleMessage(place: string, { keyword, params }: BrokenRule): Message {
  const rule = RULES[keyword]?.(params)
  return rule ? { en: `${place} ${rule.en}`, zh: `${place} ${rule.zh}` } : MESSAGES.invalid_request
}

/**
 * A field name that a message may repeat. Any other text in its place could be markup, or a value
 * that was sent as a name.
 */
const PLAIN_NAME = /^[a-z]\w{0,31}$/i

/** Every rule that a request schema uses: a test checks that none is missing. */
const RULES: Record<string, (params: Record<string, unknown>) => Message> = {
  required: ({ missingProperty }) => ({
    en: `must have required property '${missingProperty}'`,
    zh: `缺少必填字段 '${missingProperty}'`,
  }),
  additionalProperties: ({ additionalProperty }) => {
    const name = PLAIN_NAME.test(String(additionalProperty)) ? ` '${additionalProperty}'` : ''
    return { en: `must NOT have the unknown field${name}`, zh: `含有未定义的字段${name}` }
  },
  type: ({ type }) => ({ en: `must be ${type}`, zh: `的类型必须是 ${type}` }),
  enum: () => ({ en: 'must be equal to one of the allowed values', zh: '不在允许的取值之内' }),
  minimum: ({ limit }) => ({ en: `must be >= ${limit}`, zh: `不能小于 ${limit}` }),
  maximum: ({ limit }) => ({ en: `must be <= ${limit}`, zh: `不能大于 ${limit}` }),
  minLength: ({ limit }) => ({
    en: `must NOT have fewer than ${limit} characters`,
    zh: `不能少于 ${limit} 个字符`,
  }),
  maxLength: ({ limit }) => ({
    en: `must NOT have more than ${limit} characters`,
    zh: `不能超过 ${limit} 个字符`,
  }),
}
