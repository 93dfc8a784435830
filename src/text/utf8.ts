const decoder = new TextDecoder('utf-8', { fatal: true })

/**
 * The text that bytes say in UTF-8, without a byte order mark before it (RFC 8259 §8.1), or
 * undefined where they are not UTF-8. Node's own conversions put U+FFFD in the place of every byte
 * that says nothing: two different secrets would become one.
 */
export function textOf(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes)
  } catch {
    return undefined
  }
}

/**
 * Where Node has read the bytes already: whether it found some that are not UTF-8. A U+FFFD that
 * was meant is refused too.
 */
export function wasDamaged(text: string): boolean {
  return text.includes('\ufffd')
}

/** Whether all %-escapes of a text are UTF-8. */
export function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}
