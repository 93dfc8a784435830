import {
  type CountryCode,
  getCountryCallingCode,
  type PhoneNumber,
  parsePhoneNumberFromString,
} from 'libphonenumber-js/max'
import { DETAILS } from '../refusals/messages.js'
import { Refusal } from '../refusals/refusal.js'
import { withAsciiDigits } from '../text/ascii-digits.js'

const MAX_E164_DIGITS = 15

/**
 * People also type an international prefix, a carrier code and stray zeros before the E.164 digits.
 */
const MAX_DIALLED_DIGITS = 2 * MAX_E164_DIGITS

/**
 * Length of the shortest mobile number, without area or country code. A few countries have shorter
 * ones, but none of those has two readings.
 */
const LEAST_MOBILE_DIGITS = 8

/**
 * The canonical spelling of a mobile number, E.164, in which it is stored, looked up and throttled.
 * A number without country code belongs to `region`. A canonical number stays the same.
 *
 * @throws Refusal `invalid_request` if the text cannot be a phone number.
 */
export function canonicalMobile(text: string, region: CountryCode): string {
  const digits = dialled(text)
  const number = read(digits, region)
  // A number whose canonical spelling reads as another number would give one line two users.
  if (number === undefined || (number !== digits && read(number, region) !== number)) {
    throw new Refusal('invalid_request', { msg: DETAILS.notAMobile })
  }
  return number
}

/** A number for logs: its last digits, enough to recognise one's own and too few to call it. */
export function maskedMobile(mobile: string): string {
  return `***${mobile.slice(-Math.min(4, Math.floor(mobile.length / 3)))}`
}

/**
 * The digits of a number as people paste it, after its + if there is one: from address books, web
 * pages and `tel:` links (RFC 3966), in any script. Empty if the text holds anything else,
 * including an extension.
 */
function dialled(text: string): string {
  const [number = '', ...parameters] = withAsciiDigits(text)
    // Invisible characters, such as the direction marks that iOS and Android put around a number.
    .replace(/\p{Cf}/gu, '')
    .trim()
    .replace(/^tel:/i, '')
    .split(';')
  const context = /^phone-context=(\+.*)/i.exec(parameters.join(';'))?.[1] ?? ''
  // Two contexts contain two +, which is no number.
  return parameters.length > 0 && context === '' ? '' : undecorated(context + number)
}

function undecorated(text: string): string {
  const rest = text.replace(/[\s\p{Pd}\u2212\u30fc()[\]./~\u2053\u223c]/gu, '')
  return rest.length <= MAX_DIALLED_DIGITS && /^\+?\d+$/.test(rest) ? rest : ''
}

/**
 * The number in E.164: the first reading that is a mobile number, else the first that is in use,
 * else the first of a possible length, because new ranges are missing from the metadata at first.
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
  // 00 is the international prefix nearly everywhere, and a habit where another prefix is.
  const fromAbroad = digits.startsWith('00') ? parsed(`+${digits.slice(2)}`) : []
  // Nobody dials abroad to call their own country: 00 and its code are then a habit, whatever the
  // rules of the region make of 00.
  const isOwn = fromAbroad.some((number) => number.countryCallingCode === getCountryCallingCode(region))
  for (const number of isOwn ? [...fromAbroad, ...asDialled] : [...asDialled, ...fromAbroad]) {
    yield number
    yield* withoutStrays(number)
  }
}

/**
 * People write a 0 or 00 after the country code, write that code twice, or omit a 0 that belongs
 * there.
 */
function* withoutStrays(number: PhoneNumber): Generator<PhoneNumber> {
  const { countryCallingCode: code, nationalNumber } = number
  const inUse = number.isValid()
  let rest: string = nationalNumber
  // A number in use may begin with 0 or with the digits of its country code. The code is a stray
  // only if the rest is long enough for a mobile number.
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
