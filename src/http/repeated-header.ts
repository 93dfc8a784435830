/**
 * Whether several header lines have this name, given in small letters. Node keeps the first of
 * them, another server behind the same proxy may keep the last. Looks at the names and values as
 * they came: Node's own list of them is slow.
 */
export function isRepeated(rawHeaders: readonly string[], name: string): boolean {
  let found = 0
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const sent = rawHeaders[index] ?? ''
    if (sent.length === name.length && (sent === name || sent.toLowerCase() === name)) found++
  }
  return found > 1
}
