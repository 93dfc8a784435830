/** The languages of the service's messages. English is the default. */
export const LANGUAGES = ['en', 'zh'] as const

export type Language = (typeof LANGUAGES)[number]

/**
 * Messages for people, with the same text as the service's. The English is ASCII, because
 * challenges carry it in a header.
 */
export const MESSAGES = {
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
  temporarily_unavailable: {
    en: 'The service cannot answer just now: try again in a second.',
    zh: '服务暂时无法响应，请一秒后重试。',
  },
} as const satisfies Record<string, Record<Language, string>>
