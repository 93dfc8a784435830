import type { ZxcvbnFactory } from '@zxcvbn-ts/core'
import { DETAILS, type PasswordField } from '../refusals/messages.js'
import { Refusal } from '../refusals/refusal.js'
import { withAsciiDigits } from '../users/mobiles.js'

/**
 * Three pieces that everybody uses are guessed within this many tries, in any order; four of them,
 * or two rare words, are not.
 */
const LEAST_GUESSES_LOG10 = 8.5

/**
 * Of digits alone: nearly every row of them holds dates and common numbers, which the estimate
 * takes for pieces.
 */
const LEAST_GUESSES_OF_DIGITS_LOG10 = 6.8

/** An estimate takes longer than linear time, and these tell enough. */
const MOST_CHARACTERS_ESTIMATED = 32

/** What is left of a password without the mobile number must be more than this. */
const LITTLE_MORE_THAN_A_MOBILE = 7

/** A shorter end of a mobile number stands in other numbers by chance. */
const LEAST_MOBILE_END = 7

/**
 * What else is tried first here: the names of this service, and what people in China write in
 * letters.
 */
const OWN_WORDS = (
  'auth service auth-service authservice video platform woaini woai woaiwojia mima wodemima wode wojia ' +
  'nihao zhongguo beijing shanghai laopo laogong baobao baobei yuanfen caonima xihuan kuaile shengri ' +
  'pengyou tiantian gongxi facai aini aiwo qinaide zhang wang chen yang huang zhao zhou 5201314 1314520 520 1314 201314 ' +
  'qq123 aa123'
).split(' ')

const NUMERALS = pairs('〇零一二三四五六七八九十', '001234567890')

/** Keys with shift, and without. */
const KEYS = pairs('!@#$%^&*()_+{}|:"<>?~', "1234567890-=[]\\;',./`")

/**
 * Refuses a new password that would be among the first to be guessed (NIST SP 800-63B-4 §3.1.1.2):
 * a common one, a repetition, a sequence, a row of keys, the own mobile number or the name of this
 * service, and what puts few of these together.
 *
 * @param mobile of the account, in its canonical spelling.
 * @throws Refusal `invalid_request`, naming the field.
 */
export async function requireUncommon(password: string, field: PasswordField, mobile: string): Promise<void> {
  const plain = replaced(withAsciiDigits(password).toLowerCase(), NUMERALS)
  const ends = endsOf(mobile.replace('+', ''))
  if (isMostly(ends, plain)) throw new Refusal('invalid_request', { msg: DETAILS.isOwnMobile(field) })
  // Only with the first new password: it takes 20 MB, which a process that sets none goes without.
  loading ??= load()
  const estimator = await loading
  if (readingsOf(plain).some((reading) => isRepetitive(reading) || isSoonGuessed(reading, ends, estimator))) {
    throw new Refusal('invalid_request', { msg: DETAILS.tooCommon(field) })
  }
}

/** The number with and without country code, however it is spelled: its ends, the longest first. */
function endsOf(mobile: string): string[] {
  const ends = Array.from({ length: mobile.length }, (_, start) => mobile.slice(start))
  return ends.filter((end) => end.length >= LEAST_MOBILE_END)
}

function isMostly(ends: string[], plain: string): boolean {
  const bare = plain.replace(/[^\p{L}\p{N}]/gu, '')
  const end = ends.find((candidate) => bare.includes(candidate))
  return end !== undefined && [...bare.replaceAll(end, '')].length <= LITTLE_MORE_THAN_A_MOBILE
}

/**
 * In how many ways a password can be simple: as it is, without its separators, two woven together,
 * with shift held.
 */
function readingsOf(plain: string): string[] {
  const characters = [...plain]
  const separators = new Set(characters.filter((character) => /[^\p{L}\p{N}]/u.test(character)))
  // With more kinds of them they are no separators: a random password has many.
  const bare =
    separators.size <= 2 ? characters.filter((character) => !separators.has(character)) : characters
  const unwoven = [
    ...bare.filter((_, index) => index % 2 === 0),
    ...bare.filter((_, index) => index % 2 === 1),
  ]
  const readings = [plain, bare.join(''), unwoven.join(''), replaced(plain, KEYS)]
  return [...new Set(readings)]
}

/** One or two characters, a pattern again and again, or nothing but neighbours: 111222333. */
function isRepetitive(reading: string): boolean {
  const characters = [...reading]
  if (new Set(characters).size <= 2) return true
  const codes = characters.map((character) => character.codePointAt(0) ?? 0)
  const repeatsAfter = (period: number) =>
    codes.every((code, at) => at < period || code === codes[at - period])
  const longest = Math.floor((codes.length + 1) / 2)
  if (Array.from({ length: longest }, (_, index) => index + 1).some(repeatsAfter)) return true
  return codes.every((code, at) => Math.abs(code - (codes[at - 1] ?? code)) <= 1)
}

function isSoonGuessed(reading: string, own: string[], estimator: ZxcvbnFactory): boolean {
  const least = /^\d+$/.test(reading) ? LEAST_GUESSES_OF_DIGITS_LOG10 : LEAST_GUESSES_LOG10
  return estimator.check(reading, own).guessesLog10 < least
}

let loading: Promise<ZxcvbnFactory> | undefined

async function load(): Promise<ZxcvbnFactory> {
  const [{ ZxcvbnFactory }, { adjacencyGraphs, dictionary }] = await Promise.all([
    import('@zxcvbn-ts/core'),
    import('@zxcvbn-ts/language-common'),
  ])
  const { qwerty, qwertz, azerty, keypad } = adjacencyGraphs
  return new ZxcvbnFactory({
    dictionary: { passwords: dictionary['passwords-common'], own: OWN_WORDS },
    graphs: { qwerty, qwertz, azerty, keypad },
    l33tMaxSubstitutions: 4,
    maxLength: MOST_CHARACTERS_ESTIMATED,
  })
}

function replaced(text: string, meanings: Map<string, string>): string {
  return [...text].map((character) => meanings.get(character) ?? character).join('')
}

function pairs(from: string, to: string): Map<string, string> {
  const meanings = [...to]
  return new Map([...from].map((character, index) => [character, meanings[index] ?? character]))
}
