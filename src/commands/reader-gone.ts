/** Errors of a pipe, and of a terminal, that nobody reads any more. */
const READER_GONE = ['EPIPE', 'EIO']

/**
 * Lets a command go on without a word when nobody reads what it prints, as in `… | head`: what it
 * does must not depend on that.
 *
 * @param complain is told of another reason why standard output cannot be written. The command
 *   then exits with 1.
 */
export function outliveReaders(complain: (text: string) => void): void {
  process.stdout.on('error', ({ code = '' }: NodeJS.ErrnoException) => {
    if (READER_GONE.includes(code)) return
    complain(`standard output cannot be written (${code})`)
    process.exitCode = 1
  })
  // There is no other place to say it.
  process.stderr.on('error', () => undefined)
}
