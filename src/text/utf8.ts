const decoder = new TextDecoder('utf-8', { fatal: true })

/**
 * Decodes UTF-8 and drops a byte order mark (RFC 8259 §8.1). Node's own conversions replace
 * malformed bytes by U+FFFD, which would make two different secrets equal.
 *
 * @returns undefined if the bytes are not UTF-8.
 */
export function textOf(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes)
  } catch {
    return undefined
  }
}

/**
 * Whether a text that Node has already decoded was malformed UTF-8. A literal U+FFFD counts as
 * malformed, too.
 */
export function wasDamaged(text: string): boolean {
  return text.includes('\ufffd')
}

/** Whether all percent-escapes of a text are UTF-8. */
export function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}
