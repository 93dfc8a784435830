import { DETAILS, type PasswordField } from '../refusals/messages.js'
import { Refusal } from '../refusals/refusal.js'

/**
 * bcrypt reads only the first 72 bytes, and bcryptjs stops at a NUL. Truncation is forbidden (ASVS
 * 6.2.8).
 */
export const MAX_PASSWORD_BYTES = 72

/**
 * Minimum length in characters of a new password that is the only factor (NIST SP 800-63B-4
 * §3.1.1.2).
 */
export const MIN_NEW_PASSWORD_LENGTH = 15

/**
 * Refuses a password that bcrypt would not read in full. JSON Schema's maxLength counts characters,
 * not bytes, so it cannot do this.
 *
 * @throws Refusal `invalid_request` that names the field.
 */
export function requireHashable(password: string, field: PasswordField): void {
  if (Buffer.byteLength(password) > MAX_PASSWORD_BYTES) {
    throw new Refusal('invalid_request', { msg: DETAILS.tooManyBytes(field, MAX_PASSWORD_BYTES) })
  }
  if (password.includes('\0')) throw new Refusal('invalid_request', { msg: DETAILS.holdsNul(field) })
}

/** Checks the length of a password that is being set. @throws Refusal `invalid_request` */
export function requireStrong(password: string, field: PasswordField): void {
  requireHashable(password, field)
  if ([...password].length < MIN_NEW_PASSWORD_LENGTH) {
    throw new Refusal('invalid_request', {
      msg: DETAILS.tooFewCharacters(field, MIN_NEW_PASSWORD_LENGTH),
    })
  }
}
