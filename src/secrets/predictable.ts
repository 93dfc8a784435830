/** The probability of a symbol after the ones before it. Those of all symbols add up to 1. */
type Model = (symbols: readonly number[], index: number) => number

/**
 * At most one random sequence in 2^30 can be described in this many bits less than it has (Kraft,
 * McMillan).
 */
const MAX_BITS_SPARED_BY_PATTERN = 30

/**
 * Random letters are less like words than that bound says: none of 200,000 sequences of 32 is
 * described in more than 7 bits less.
 */
const MAX_BITS_SPARED_BY_LANGUAGE = 15

/** How much of a sequence is examined: so many random symbols are more than enough. */
const MAX_SYMBOLS = 512

/**
 * Whether a sequence can be described in fewer bits than random symbols need: by repetition,
 * counting, few distinct symbols, an encoding, or the words of a language.
 *
 * @param alphabet number of possible symbols.
 */
export function isPredictable(
  sequence: readonly number[],
  alphabet: number,
  { encodings = [], languages = [] }: { encodings?: readonly Model[]; languages?: readonly Model[] } = {},
): boolean {
  const symbols = sequence.slice(0, MAX_SYMBOLS)
  const patterns = [repeats(alphabet), counts(alphabet, 1), counts(alphabet, 2), hasFewSymbols(alphabet)]
  return (
    [...patterns, ...encodings].some((model) => sparedBits(model) > MAX_BITS_SPARED_BY_PATTERN) ||
    languages.some((language) => sparedBits(language) > MAX_BITS_SPARED_BY_LANGUAGE)
  )

  function sparedBits(model: Model): number {
    const bits = symbols.reduce((sum, _, index) => sum - Math.log2(model(symbols, index)), 0)
    return symbols.length * Math.log2(alphabet) - bits
  }
}

/** Predicts the symbol that last followed the same two symbols. */
function repeats(alphabet: number): Model {
  return (symbols, index) => {
    for (let end = index - 1; end >= 2; end--) {
      if (symbols[end - 1] === symbols[index - 1] && symbols[end - 2] === symbols[index - 2]) {
        return guessed(symbols[index] === symbols[end], alphabet)
      }
    }
    return 1 / alphabet
  }
}

/** Predicts equal steps of every symbol, or of every second one: abcd, 00112233, 1a2b3c. */
function counts(alphabet: number, lag: number): Model {
  return (symbols, index) => {
    const [last, before] = [symbols[index - lag], symbols[index - 2 * lag]]
    if (last === undefined || before === undefined) return 1 / alphabet
    return guessed(symbols[index] === 2 * last - before, alphabet)
  }
}

function guessed(rightly: boolean, alphabet: number): number {
  return rightly ? 0.8 : 0.2 / (alphabet - 1)
}

/** Predicts the symbols that were frequent (the estimator of Krichevsky and Trofimov). */
function hasFewSymbols(alphabet: number): Model {
  return (symbols, index) => {
    const symbol = symbols[index]
    let seen = 0
    for (let earlier = 0; earlier < index; earlier++) if (symbols[earlier] === symbol) seen++
    return (seen + 0.1) / (index + 0.1 * alphabet)
  }
}

/** Bytes of text in a Latin encoding, with a few accents. */
export const latinText: Model = (bytes, index) => {
  const byte = bytes[index] ?? 0
  return isPrintable(byte) ? 0.9 * humanText(bytes, index) : 0.1 / (256 - PRINTABLE)
}

/** Bytes of Latin text with two bytes per letter, such as UTF-16. */
export const wideText: Model = (bytes, index) => {
  const [byte, previous, before] = [bytes[index] ?? 0, bytes[index - 1] ?? 0, bytes[index - 2] ?? 0]
  if (previous !== 0) return byte === 0 ? 0.9 : 0.1 / 255
  return isPrintable(byte) ? 0.9 * humanText([before, byte], 1) : 0.1 / (256 - PRINTABLE)
}

/** Bytes of text in an encoding of other scripts, such as GB 18030. */
export const foreignText: Model = (bytes, index) => ((bytes[index] ?? 0) >= 0x80 ? 0.95 / 128 : 0.05 / 128)

/** Number of printable ASCII characters, including the space. */
const PRINTABLE = 95

function isPrintable(code: number): boolean {
  return code >= 0x20 && code < 0x7f
}

/**
 * What people type: words of some language in lower or upper case, with some digits and signs
 * between them.
 */
export const humanText: Model = (codes, index) => {
  const [code, previous] = [codes[index] ?? 0, codes[index - 1] ?? 0x20]
  const kind = kindOf(code)
  const ofKind = (KIND_AFTER[kindOf(previous)] ?? [])[kind] ?? 0
  if (kind === SIGN) return ofKind * signLikelihood(code)
  if (kind === DIGIT) return ofKind / 10
  return ofKind * letterAfter(beginsWord(codes, index) ? NO_LETTER : letterOf(previous), letterOf(code))
}

/** The same with digits and signs in place of letters: p4ssw0rd. */
export const leetText: Model = (codes, index) => {
  const [code, previous] = [codes[index] ?? 0, codes[index - 1] ?? 0x20]
  const letter = leetLetterOf(code)
  if (letter === NO_LETTER) return kindOf(code) === SIGN ? 0.14 * signLikelihood(code) : 0.04 / 3
  const spelling = [0.6, 0.2, 0.2 / spellingsOf(letter), 0.2 / spellingsOf(letter)][kindOf(code)] ?? 0
  return 0.82 * spelling * letterAfter(beginsWord(codes, index) ? NO_LETTER : leetLetterOf(previous), letter)
}

function beginsWord(codes: readonly number[], index: number): boolean {
  return kindOf(codes[index] ?? 0) === LARGE && kindOf(codes[index - 1] ?? 0) === SMALL
}

function signLikelihood(code: number): number {
  return COMMON_SIGNS.includes(code) ? 0.8 / 4 : 0.2 / 29
}

const LEET: Record<string, string> = {
  4: 'a',
  '@': 'a',
  3: 'e',
  1: 'i',
  '!': 'i',
  0: 'o',
  5: 's',
  $: 's',
  7: 't',
  8: 'b',
}

function leetLetterOf(code: number): number {
  const letter = LEET[String.fromCharCode(code)]
  return letterOf(letter === undefined ? code : letter.charCodeAt(0))
}

function spellingsOf(letter: number): number {
  return Math.max(1, Object.values(LEET).filter((other) => letterOf(other.charCodeAt(0)) === letter).length)
}

const [SMALL, LARGE, DIGIT, SIGN] = [0, 1, 2, 3] as const

function kindOf(code: number) {
  if (code >= 0x61 && code <= 0x7a) return SMALL
  if (code >= 0x41 && code <= 0x5a) return LARGE
  return code >= 0x30 && code <= 0x39 ? DIGIT : SIGN
}

/** 0 for a to 25 for z. */
function letterOf(code: number): number {
  return kindOf(code) <= LARGE ? (code & 0x1f) - 1 : NO_LETTER
}

const NO_LETTER = 26

function letterAfter(previous: number, letter: number): number {
  return (LETTER_AFTER[previous] ?? [])[letter] ?? 0
}

const COMMON_SIGNS = [...' -_.'].map((sign) => sign.charCodeAt(0))

/**
 * Probability of a lower-case letter, an upper-case letter, a digit and a sign after one of each.
 */
const KIND_AFTER = [
  [0.76, 0.09, 0.05, 0.1],
  [0.55, 0.33, 0.05, 0.07],
  [0.12, 0.08, 0.6, 0.2],
  [0.45, 0.25, 0.15, 0.15],
]

/**
 * Probability of each letter after a, b, … z, and at the beginning of a word: -3 log2 of it, as a
 * digit of base 36. Counted in English documents and in 38,000 secrets that people made up.
 */
const LETTER_AFTER = [
  'gfggnkjlalkdf5bhodcckllohk',
  '8ebi9innaioaljbqoehlbjlpdo',
  'blff9lq7fmefpm8qpajdfkokko',
  '9hhe7cij9iligkaonhdleojlfm',
  'ejbcfhklcloeg7nkm8bcphjifo',
  '9hgf8cejbhjfnl9pnciedlmngm',
  'chgfaffbedjdhfdjhdegcogecf',
  '7nol5mmj8knnlnbqrllh9toqkq',
  '9gdgfggiphlcf6dlmibdfjhihj',
  'ckkgehig4gfinlfmmogmaoblkn',
  '9kkh6hkh9eedkgdjnkdldplmdo',
  'aomh9jnn5lkbmq8osqikdnnndn',
  '6hkl7nnn8mnlejbeqoengrlpdp',
  'ekgbdk4jcikhkifomncclmljel',
  'dhhemchjmkhfd7gfoadebcglim',
  '9pln8pngbokalrban9ifdrlpbq',
  'bmmkinkk5ijgjmnj9liian8kkm',
  'alhf5kjmamfiejalrgdegkmqdr',
  'dnid7kn7clijjkcimpcacuhkjm',
  'bomn9nm68nmimnamrdeghoiofq',
  '8gegeljibgkdf9eglcbcnqkhfi',
  'cgim2mnl9nnpllipmklmoinkmq',
  '7omj8mndbkolnj5pikfdjvjlnq',
  'incifklj4jjkjllgimfebqjbgg',
  '7iihfjiiajngjk7jpgdg8pilfi',
  'cnihgli4ahnjkmknjnhjeleafc',
  'becegegeefhbegefhgbbjkbnim',
].map((row) => {
  const weights = [...row].map((digit) => 2 ** (Number.parseInt(digit, 36) / -3))
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  return weights.map((weight) => weight / total)
})
