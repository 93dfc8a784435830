/**
 * Replaces full-width characters, every kind of space and the digits of every script by ASCII ones.
 */
export function withAsciiDigits(text: string): string {
  return text.normalize('NFKC').replace(/[^\P{Nd}0-9]/gu, inAscii)
}

/** The ten digits of a script are consecutive in Unicode. */
function inAscii(digit: string): string {
  const code = digit.codePointAt(0) ?? 0
  let value = 0
  while (/\p{Nd}/u.test(String.fromCodePoint(code - value - 1))) value++
  return String(value)
}
