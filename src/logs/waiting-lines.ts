/** Bytes that may wait for a slow disk or reader before lines are lost. */
const MAX_WAITING_BYTES = 1 << 20

/** Lines that wait to be written, up to a limit. */
export function createWaitingLines() {
  const lines: string[] = []
  let waitingBytes = 0

  return { count: () => lines.length, add, addFirst, first, forget }

  /** Adds a line. @returns false if there is no room for it: it is lost. */
  function add(line: string): boolean {
    const bytes = Buffer.byteLength(line)
    if (waitingBytes + bytes > MAX_WAITING_BYTES) return false
    lines.push(line)
    waitingBytes += bytes
    return true
  }

  /** Adds a line before all others, even without room. */
  function addFirst(line: string): void {
    lines.unshift(line)
    waitingBytes += Buffer.byteLength(line)
  }

  /** The first lines, until they come to `atLeast` bytes. */
  function first(atLeast: number): Buffer {
    let count = 0
    for (let bytes = 0; count < lines.length && bytes < atLeast; count++) {
      bytes += Buffer.byteLength(lines[count] ?? '')
    }
    return Buffer.from(lines.slice(0, count).join(''))
  }

  /**
   * Removes lines whose bytes are written. A line that was written in part stays and is written
   * again.
   */
  function forget(written: number): void {
    let count = 0
    for (let rest = written; count < lines.length; count++) {
      const bytes = Buffer.byteLength(lines[count] ?? '')
      if (bytes > rest) break
      rest -= bytes
      waitingBytes -= bytes
    }
    lines.splice(0, count)
  }
}
