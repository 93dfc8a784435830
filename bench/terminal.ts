/** A number of the command line, from 1 to 9999. Prints `usage` and ends the program otherwise. */
export function wholeNumber(given: string | undefined, otherwise: number, usage: string): number {
  if (given === undefined) return otherwise
  if (/^[1-9]\d{0,3}$/.test(given)) return Number(given)
  process.stderr.write(usage)
  process.exit(2)
}

/** Shows at a terminal what is being measured, in place of what it showed before. */
export function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`)
}
