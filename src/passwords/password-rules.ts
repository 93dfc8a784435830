import type { ZxcvbnFactory } from '@zxcvbn-ts/core'
import { DETAILS, type PasswordField } from '../refusals/messages.js'
import { Refusal } from '../refusals/refusal.js'
import { withAsciiDigits } from '../text/ascii-digits.js'

/**
 * Minimum number of guesses, as log10. Three common words in any order need fewer. Four of them, or
 * two rare words, need more.
 */
const LEAST_GUESSES_LOG10 = 8.5

/**
 * The same for digits alone. The estimator finds dates and common numbers in nearly every sequence
 * of digits, and so estimates too few guesses.
 */
const LEAST_GUESSES_OF_DIGITS_LOG10 = 6.8

/**
 * How many leading characters are estimated. They tell enough, and an estimate takes more than
 * linear time.
 */
const MOST_CHARACTERS_ESTIMATED = 32

/** A password must have more characters than this besides the mobile number. */
const LITTLE_MORE_THAN_A_MOBILE = 7

/** Shorter suffixes of a mobile number occur in other numbers by chance. */
const LEAST_MOBILE_END = 7

/**
 * Words that are tried first here: the names of this service, and what people in China write in
 * Latin letters.
 */
const OWN_WORDS = (
  'auth service auth-service authservice video platform woaini woai woaiwojia mima wodemima wode wojia ' +
  'nihao zhongguo beijing shanghai laopo laogong baobao baobei yuanfen caonima xihuan kuaile shengri ' +
  'pengyou tiantian gongxi facai aini aiwo qinaide zhang wang chen yang huang zhao zhou 5201314 1314520 520 1314 201314 ' +
  'qq123 aa123'
).split(' ')

const NUMERALS = pairs('〇零一二三四五六七八九十', '001234567890')

/** Characters typed with shift, and those of the same keys without it. */
const KEYS = pairs('!@#$%^&*()_+{}|:"<>?~', "1234567890-=[]\\;',./`")

/**
 * Refuses a new password that is guessed early (NIST SP 800-63B-4 §3.1.1.2): a common password, a
 * repetition, a sequence, a row of keys, the mobile number of the account, a name of this service,
 * or a combination of few of these.
 *
 * @param mobile of the account, in its canonical spelling.
 * @throws Refusal `invalid_request` that names the field.
 */
export async function requireUncommon(password: string, field: PasswordField, mobile: string): Promise<void> {
  const plain = replaced(withAsciiDigits(password).toLowerCase(), NUMERALS)
  const ends = endsOf(mobile.replace('+', ''))
  if (isMostly(ends, plain)) throw new Refusal('invalid_request', { msg: DETAILS.isOwnMobile(field) })
  // Loaded with the first new password: it takes 20 MB, and most processes never set one.
  loading ??= load()
  const estimator = await loading
  if (readingsOf(plain).some((reading) => isRepetitive(reading) || isSoonGuessed(reading, ends, estimator))) {
    throw new Refusal('invalid_request', { msg: DETAILS.tooCommon(field) })
  }
}

/** The suffixes of the number, longest first. They match it with and without country code. */
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
 * The ways in which a password can be simple: as it is, without its separators, two texts
 * interleaved, or typed with shift held.
 */
function readingsOf(plain: string): string[] {
  const characters = [...plain]
  const separators = new Set(characters.filter((character) => /[^\p{L}\p{N}]/u.test(character)))
  // A random password has many kinds of punctuation, which are no separators.
  const bare =
    separators.size <= 2 ? characters.filter((character) => !separators.has(character)) : characters
  const unwoven = [
    ...bare.filter((_, index) => index % 2 === 0),
    ...bare.filter((_, index) => index % 2 === 1),
  ]
  const readings = [plain, bare.join(''), unwoven.join(''), replaced(plain, KEYS)]
  return [...new Set(readings)]
}

/**
 * Whether it has only one or two characters, repeats a pattern, or moves by at most one code point
 * at a time, as 111222333 does.
 */
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
