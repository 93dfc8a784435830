import { pino } from 'pino'

/** From this level on, a line shows its level. */
const SHOWN_FROM = pino.levels.values.warn ?? 0

/**
 * A line of a log as people read it at a terminal: local time, the level if it is a warning or
 * worse, the message, then further fields as `name=value`. The stack of an error follows on lines
 * of its own.
 *
 * @param line one JSON object, as the service's log and the action log write it.
 */
export function lineForPeople(line: string): string {
  const { time, level = 0, msg, pid: _pid, hostname: _hostname, err, ...fields } = JSON.parse(line)
  const shown = [
    new Date(time).toTimeString().slice(0, 8),
    ...(level >= SHOWN_FROM ? [pino.levels.labels[level]?.toUpperCase()] : []),
    visible(msg ?? ''),
    ...Object.entries(fields).flatMap(([name, value]) =>
      value === null ? [] : `${name}=${valueText(value)}`,
    ),
  ]
  return `${shown.join(' ')}\n${stackOf(err)}`
}

function valueText(value: unknown): string {
  const isPlain = typeof value === 'string' && /^[^\s"]+$/.test(value)
  return visible(isPlain ? value : JSON.stringify(value))
}

function stackOf(err: { stack?: string; message?: string } | undefined): string {
  if (err === undefined) return ''
  const lines = (err.stack ?? err.message ?? JSON.stringify(err)).split('\n')
  return lines.map((text) => `    ${visible(text.trim())}\n`).join('')
}

/** Escapes what would move the cursor or reorder the text: callers choose some of it. */
function visible(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`,
  )
}
