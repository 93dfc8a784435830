/** The languages in which people are told things. English is for whoever asks for none of them. */
export const LANGUAGES = ['en', 'zh'] as const

export type Language = (typeof LANGUAGES)[number]
