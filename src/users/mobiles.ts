import {
  type CountryCode,
  getCountryCallingCode,
  type PhoneNumber,
  parsePhoneNumberFromString,
} from 'libphonenumber-js/max'
import { DETAILS } from '../refusals/messages.js'
import { Refusal } from '../refusals/refusal.js'

const MAX_E164_DIGITS = 15

/** Before those of E.164 may stand a prefix for calls abroad, a carrier's, and strays. */
const MAX_DIALLED_DIGITS = 2 * MAX_E164_DIGITS

/**
 * Without area or country code; a few countries have shorter ones, and none of them two readings.
 */
const LEAST_MOBILE_DIGITS = 8

/**
 * The one spelling of a mobile number, E.164, in which it is stored, looked up and throttled. A number without
 * country code belongs to `region`. The spelling of a spelling is itself.
 *
 * @throws Refusal `invalid_request` when it cannot be a phone number.
 */
export function canonicalMobile(text: string, region: CountryCode): string {
  const digits = dialled(text)
  const number = read(digits, region)
  // Where a second reading gives another number, it would be a second user on the same line.
  if (number === undefined || (number !== digits && read(number, region) !== number)) {
    throw new Refusal('invalid_request', { msg: DETAILS.notAMobile })
  }
  return number
}

/** Enough of a number to recognise one's own, too little to call it: for logs. */
export function maskedMobile(mobile: string): string {
  return `***${mobile.slice(-Math.min(4, Math.floor(mobile.length / 3)))}`
}

/**
 * The digits of a number as people paste it, and the + before them: from address books, web pages
 * and `tel:` links (RFC 3966), in any script. Empty for what holds anything else, an extension too.
 */
function dialled(text: string): string {
  const [number = '', ...parameters] = withAsciiDigits(text)
    // Marks of writing direction, which iOS and Android put around a number, and what else cannot
    // be seen.
    .replace(/\p{Cf}/gu, '')
    .trim()
    .replace(/^tel:/i, '')
    .split(';')
  const context = /^phone-context=(\+.*)/i.exec(parameters.join(';'))?.[1] ?? ''
  // Two of them hold two +, which is no number.
  return parameters.length > 0 && context === '' ? '' : undecorated(context + number)
}

function undecorated(text: string): string {
  const rest = text.replace(/[\s\p{Pd}\u2212\u30fc()[\]./~\u2053\u223c]/gu, '')
  return rest.length <= MAX_DIALLED_DIGITS && /^\+?\d+$/.test(rest) ? rest : ''
}

/** With full-width characters, every kind of space and the digits of every script as plain ones. */
export function withAsciiDigits(text: string): string {
  return text.normalize('NFKC').replace(/[^\P{Nd}0-9]/gu, inAscii)
}

/** Unicode has the ten digits of a script in a row. */
function inAscii(digit: string): string {
  const code = digit.codePointAt(0) ?? 0
  let value = 0
  while (/\p{Nd}/u.test(String.fromCodePoint(code - value - 1))) value++
  return String(value)
}

/**
 * The number that is meant, in E.164: the first reading that is a mobile's, else the first that is
 * in use, else the first that is long enough, for new ranges are not known here at once.
 */
function read(digits: string, region: CountryCode): string | undefined {
  let inUse: PhoneNumber | undefined
  let possible: PhoneNumber | undefined
  for (const number of readings(digits, region)) {
    if (isMobile(number)) return number.number
    if (number.isValid()) inUse ??= number
    if (number.isPossible()) possible ??= number
  }
  const spelling = (inUse ?? possible)?.number
  return spelling && spelling.length <= 1 + MAX_E164_DIGITS ? spelling : undefined
}

function* readings(digits: string, region: CountryCode): Generator<PhoneNumber> {
  const asDialled = parsed(digits, region)
  // 00 leads abroad nearly everywhere, and by habit also where another prefix does.
  const fromAbroad = digits.startsWith('00') ? parsed(`+${digits.slice(2)}`) : []
  // Nobody dials the way abroad to call their own country: there 00 is not what the rules of the
  // region make of it.
  const isOwn = fromAbroad.some((number) => number.countryCallingCode === getCountryCallingCode(region))
  for (const number of isOwn ? [...fromAbroad, ...asDialled] : [...asDialled, ...fromAbroad]) {
    yield number
    yield* withoutStrays(number)
  }
}

/**
 * People write a 0 or 00 behind the country code, or that code twice, and leave out a 0 that
 * belongs there.
 */
function* withoutStrays(number: PhoneNumber): Generator<PhoneNumber> {
  const { countryCallingCode: code, nationalNumber } = number
  const inUse = number.isValid()
  let rest: string = nationalNumber
  // A number in use may well begin with 0, or with the digits of its country: the long rest must be
  // a mobile's then.
  if (inUse && !(rest.startsWith(code) && rest.length >= code.length + LEAST_MOBILE_DIGITS)) return
  for (;;) {
    const stray = ['0', code].find((prefix) => rest.startsWith(prefix))
    if (stray === undefined) break
    rest = rest.slice(stray.length)
    yield* parsed(`+${code}${rest}`)
  }
  if (!inUse) yield* parsed(`+${code}0${nationalNumber}`)
}

function parsed(digits: string, region?: CountryCode): PhoneNumber[] {
  const options = { ...(region && { defaultCountry: region }), extract: false }
  const number = parsePhoneNumberFromString(digits, options)
  return number ? [number] : []
}

function isMobile(number: PhoneNumber): boolean {
  const type = number.getType()
  return type === 'MOBILE' || type === 'FIXED_LINE_OR_MOBILE'
}
