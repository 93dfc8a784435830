import { type CountryCode, parsePhoneNumberFromString } from 'libphonenumber-js/min'
import { Refusal } from '../errors.js'
import { DETAILS } from '../messages.js'

/**
 * The one spelling of a mobile number, E.164, in which it is stored, looked up and throttled. A number without
 * country code belongs to `region`.
 *
 * @throws Refusal `invalid_request` when it cannot be a phone number.
 */
export function canonicalMobile(text: string, region: CountryCode): string {
  const number = parsePhoneNumberFromString(text, { defaultCountry: region, extract: false })
  if (!number?.isPossible() || number.ext) {
    throw new Refusal('invalid_request', { msg: DETAILS.notAMobile })
  }
  return number.number
}

/** Enough of a number to recognise one's own, too little to call it: for logs. */
export function maskedMobile(mobile: string): string {
  return `***${mobile.slice(-4)}`
}
