/**
 * Whether several header lines have this name, given in lower case. Node keeps the first of them,
 * another server behind the same proxy may keep the last. Reads rawHeaders, because Node's
 * `headersDistinct` is slow.
 */
export function isRepeated(rawHeaders: readonly string[], name: string): boolean {
  let found = 0
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const sent = rawHeaders[index] ?? ''
    if (sent.length === name.length && sent.toLowerCase() === name) found++
  }
  return found > 1
}
