import { LANGUAGES, type Language } from './messages.js'

/** Browsers send less than 100 characters. */
const MAX_LENGTH = 256

/** A range of Accept-Language that names a supported language, such as `zh-CN;q=0.9`, or `*`. */
interface Range {
  names: Language | '*'
  /** How specifically the range matches the bare language: `zh` 2, `zh-CN` 1, `*` 0. */
  closeness: number
  weight: number
  place: number
}

/**
 * The language that a caller prefers by `Accept-Language` (RFC 9110 §12.5.4): the first range in
 * the order of weight that names a supported language, in any script or region (RFC 4647 §3.4).
 * Never fails: an unreadable range is ignored, and English is the default.
 */
export function preferredLanguage(header = ''): Language {
  if (header.length > MAX_LENGTH) return 'en'
  const ranges = header.split(',').flatMap(readRange)
  const [first] = ranges.filter(isWanted).sort((one, other) => other.weight - one.weight)
  if (!first) return 'en'
  return first.names === '*' ? anyLanguage(ranges) : first.names
}

/** Resolves `*`: each language has the weight of the range that matches it most closely. */
function anyLanguage(ranges: readonly Range[]): Language {
  const closest = LANGUAGES.flatMap((language) => {
    const [range] = ranges
      .filter(({ names }) => names === language || names === '*')
      .sort((one, other) => other.closeness - one.closeness || other.weight - one.weight)
    return range ? [{ ...range, language }] : []
  })
  const [first] = closest
    .filter(isWanted)
    .sort(
      (one, other) => other.weight - one.weight || other.closeness - one.closeness || one.place - other.place,
    )
  return first?.language ?? 'en'
}

function isWanted({ weight }: Range): boolean {
  return weight > 0
}

function readRange(text: string, place: number): Range[] {
  const [tag = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase())
  const names = tag === '*' ? tag : LANGUAGES.find((language) => language === tag.split('-')[0])
  if (!names) return []
  const closeness = names === '*' ? 0 : tag === names ? 2 : 1
  const said = parameters.map((parameter) => /^q\s*=\s*"?(.+)$/.exec(parameter)?.[1]).find(Boolean)
  const weight = said === undefined ? 1 : Number.parseFloat(said) || 0
  return [{ names, closeness, weight, place }]
}
