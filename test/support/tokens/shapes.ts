import { encode, type Parts, type Specimen, show } from './forge.js'

/** Texts that are not exactly three segments. */
export function shapes({ good, keyServer }: Parts): Specimen[] {
  const [head = '', payload = '', signature = ''] = good.split('.')
  const json = JSON.stringify({ protected: head, payload, signature })
  const spaced = [' ', '\t', '\n', '\r\n', '\0', '\u00a0', '\u200b', '\ufeff', '=', '"', "'", ',', ';', '%20']
  const odd = [
    'a',
    '.',
    '..',
    '...',
    '....',
    'undefined',
    'null',
    '{}',
    '[]',
    json,
    `Bearer ${good}`,
    keyServer,
  ]
  odd.push(
    head,
    `${head}.`,
    `${head}.${payload}`,
    `${head}.${payload}.`,
    `${head}..${signature}`,
    `.${payload}.`,
  )
  odd.push(`.${payload}.${signature}`, `..${signature}`, `${payload}.${signature}`, `${head}.${signature}`)
  odd.push(`.${good}`, `${good}.`, `${good}.${signature}`, `${good}..`, `${head}..${payload}.${signature}`)
  odd.push(
    `${payload}.${head}.${signature}`,
    good.toLowerCase(),
    good.toUpperCase(),
    encode(good),
    good + good,
  )
  odd.push(`${good},${good}`, `${good} ${good}`, good.replaceAll('.', '。'), good.replaceAll('.', '%2E'))
  odd.push(
    `${head}=.${payload}.${signature}`,
    `${head}.${payload}=.${signature}`,
    `${head}.${payload}==.${signature}`,
  )
  odd.push(
    `${head}A.${payload}.${signature}`,
    `${head}.${payload}A.${signature}`,
    `${head}.${payload}?.${signature}`,
  )
  odd.push(
    `${head}.${payload.slice(1)}.${signature}`,
    `${head} .${payload}.${signature}`,
    `${head}.\n${payload}.${signature}`,
  )
  odd.push(
    '.'.repeat(100_000),
    'a'.repeat(100_000),
    `${good}${'.'.repeat(3000)}`,
    `${head}.${'A'.repeat(2500)}.${signature}`,
  )
  return [
    ...spaced.map((text) => ({ name: `${show(text)} in front`, token: text + good })),
    ...spaced.map((text) => ({ name: `${show(text)} behind`, token: good + text })),
    ...odd.map((token) => ({ name: `the text ${show(token)}`, token })),
  ]
}
