import {
  type CountryCode,
  getCountries,
  getCountryCallingCode,
  getExampleNumber,
  type PhoneNumber,
  parsePhoneNumberFromString,
} from 'libphonenumber-js/max'
import examples from 'libphonenumber-js/mobile/examples'
import t from 'tap'
import { Refusal } from '../../src/refusals/refusal.js'
import { canonicalMobile, maskedMobile } from '../../src/users/mobiles.js'
import { createRandom } from '../faults/random.js'

/** The canonical spelling, undefined where the text is refused. Throws any other error. */
function canonical(text: string, region: CountryCode = 'CN'): string | undefined {
  try {
    return canonicalMobile(text, region)
  } catch (error) {
    if (error instanceof Refusal && error.slug === 'invalid_request') return undefined
    throw error
  }
}

t.test('gives one spelling for every form that people paste', async (t) => {
  const pasted = [
    '+8613800138000',
    '13800138000',
    '138 0013 8000',
    '8613800138000',
    '0086 138-0013-8000',
    '\u202d+86 138 0013 8000\u202c',
    '\u2066+86 138 0013 8000\u2069',
    '\u200e+8613800138000\u200f',
    '\ufeff138\u200b0013\u200c80\u200d00',
    '+86\u00a0138\u202f0013\u20038000',
    '+86\u2011138\u20100013\u20138000',
    '+86\u2212138\u20140013\u30fc8000',
    '＋８６　１３８００１３８０００',
    '（+86）138－0013－8000',
    '(+86)138 0013 8000',
    '+(86) 138 0013 8000',
    '[+86] 138/0013/8000',
    '+86.138.0013.8000',
    '+86~138~0013~8000',
    '+ 86 13800138000',
    ' +8613800138000',
    '+8613800138000\n',
    '\t13800138000\r\n',
    '١٣٨٠٠١٣٨٠٠٠',
    '۱۳۸۰۰۱۳۸۰۰۰',
    '१३८००१३८०००',
    '+86 (0)138 0013 8000',
    '+86 0138 0013 8000',
    '+86 00 138 0013 8000',
    '+86 86 138 0013 8000',
    '+86 0086 138 0013 8000',
    '86 86 138 0013 8000',
    '0086 0138 0013 8000',
    'tel:+86-138-0013-8000',
    'TEL:+86(138)0013.8000',
    'tel:138-0013-8000;phone-context=+86',
  ]
  for (const text of pasted) t.equal(canonical(text), '+8613800138000', JSON.stringify(text))
  t.ok(
    pasted.every((text) => [...text].length <= 64),
    'as long as the schema lets them be',
  )
})

t.test('400 for text that is no number, or more than one', async (t) => {
  for (const text of [
    '',
    ' ',
    '+',
    '12',
    'sesame',
    '138-0013-8000 ext. 5',
    '+86 138 0013 8000 x5',
    '13800138000,5',
    '13800138000#5',
    'tel:+86-138-0013-8000;ext=5',
    'tel:138-0013-8000;ext=5;phone-context=+86',
    'tel:138-0013-8000;phone-context=+86;ext=5',
    'tel:+86-138-0013-8000;phone-context=+86',
    'tel:138-0013-8000;phone-context=example.com',
    'tel:tel:13800138000',
    '138O0138000',
    '13800138000 13900139000',
    '+86+8613800138000',
    '++8613800138000',
    '138+00138000',
    '+0086 13800138000',
    '13800138000\0',
    '1'.repeat(64),
  ]) {
    t.equal(canonical(text), undefined, JSON.stringify(text))
  }
})

t.test('gives one spelling in countries with special rules', async (t) => {
  const spellings: Record<string, [CountryCode, string][]> = {
    // Argentina: a mobile has 9 in international form, 15 in national form.
    '+5491123456789': [
      ['AR', '+54 9 11 2345-6789'],
      ['AR', '011 15 2345-6789'],
      ['AR', '+54 11 15 2345-6789'],
    ],
    // Italy: the 0 of a landline is part of its number, and a mobile has none.
    '+390669812345': [
      ['IT', '06 698 12345'],
      ['IT', '+39 06 698 12345'],
      ['IT', '+39 (0)6 698 12345'],
      ['IT', '+39 6 698 12345'],
    ],
    '+393471234567': [
      ['IT', '347 123 4567'],
      ['IT', '+39 347 123 4567'],
      ['IT', '+39 0347 123 4567'],
    ],
    // Brazil: the code of a carrier, in national and in international form.
    '+5511961234567': [
      ['BR', '(11) 96123-4567'],
      ['BR', '0 15 11 96123-4567'],
      ['BR', '+55 0 15 11 96123-4567'],
      ['BR', '+55 011 96123-4567'],
      ['BR', '00 55 11 96123-4567'],
    ],
    // Ivory Coast: numbers begin with 0, which spreadsheets drop.
    '+2250123456789': [
      ['CI', '01 23 45 67 89'],
      ['CI', '+225 01 23 45 67 89'],
      ['CI', '+225 1 23 45 67 89'],
      ['CI', '+225 0 01 23 45 67 89'],
    ],
    // Germany: landline numbers have nearly any length.
    '+4915123456789': [
      ['DE', '0151 23456789'],
      ['DE', '4915123456789'],
      ['DE', '+49 (0)151 23456789'],
      ['DE', '+49 00 151 23456789'],
      ['DE', '+49 49 151 23456789'],
    ],
    // Russia and Kazakhstan, Hungary, Belarus: another national prefix than 0.
    '+79123456789': [
      ['RU', '8 (912) 345-67-89'],
      ['RU', '+7 8 912 345 67 89'],
    ],
    '+36201234567': [['HU', '+36 06 20 123 4567']],
    '+375294911911': [['BY', '+375 80 29 491 1911']],
    '+12125551234': [
      ['US', '(212) 555-1234'],
      ['US', '1-212-555-1234'],
      ['CA', '+1 1 212 555 1234'],
      ['GB', '00 1 212 555 1234'],
    ],
    '+525512345678': [['MX', '+52 55 1234 5678']],
  }
  for (const [wanted, written] of Object.entries(spellings)) {
    for (const [region, text] of [['CN', wanted] as const, ...written]) {
      t.equal(canonical(text, region), wanted, `${region} ${text}`)
    }
  }
  const old = canonical('+52 1 55 1234 5678')
  t.ok(old === undefined || old === '+525512345678', 'Mexico’s 1 makes no second user')
})

/** Regions in which a number with one more 0 in front is another number. */
const WITH_LEADING_ZERO = ['AC', 'IT', 'VA']

t.test('gives one spelling in every region, for every notation', async (t) => {
  for (const region of getCountries()) {
    const number = getExampleNumber(region, examples)
    if (!number) continue
    for (const text of spellingsOf(number, region)) t.equal(canonical(text, region), number.number, text)
    for (const text of misspellingsOf(number, region)) {
      const found = canonical(text, region)
      t.ok(found === undefined || found === number.number, `${region} ${text} is ${found}`)
    }
  }
})

t.test('keeps every valid number in international form, in every region', async (t) => {
  const random = createRandom(1)
  let count = 0
  for (const region of getCountries()) {
    const start = getExampleNumber(region, examples)
    for (let index = 0; index < 60 && start; index++) {
      const kept = random.integer(1, start.nationalNumber.length - 1)
      const length = start.nationalNumber.length + random.integer(-1, 1)
      const digits = `${start.nationalNumber.slice(0, kept)}${randomDigits(random, length - kept)}`
      const number = parsePhoneNumberFromString(`+${start.countryCallingCode}${digits}`)
      if (!number?.isValid()) continue
      count++
      if (canonical(number.number) !== number.number) t.fail(number.number)
    }
  }
  t.ok(count > 3000, `${count} numbers`)
})

t.test('keeps a spelling that it gave itself, for random input in every region', async (t) => {
  const random = createRandom(2)
  const regions = getCountries()
  let accepted = 0
  for (let index = 0; index < 30_000; index++) {
    const region = random.pick(regions)
    const code = getCountryCallingCode(region)
    const prefix = random.pick(['', '0', '+', '00', '011', code, `+${code}`, `+${code}0`, `+${code}00`])
    const text = `${prefix}${random.pick(['', code, '0', '9', '15'])}${randomDigits(random, random.integer(0, 13))}`
    const first = canonical(text, region)
    if (first === undefined) continue
    accepted++
    const again = canonical(first, random.chance(0.5) ? region : random.pick(regions))
    if (again !== first) t.fail(`${region} ${text}: ${first}, then ${again}`)
    if (!/^\+[1-9]\d{4,14}$/.test(first)) t.fail(`${region} ${text}: ${first}`)
  }
  t.ok(accepted > 6_000, `${accepted} were numbers`)
})

t.test('400 within a second for 100,000 repetitions of anything', async (t) => {
  for (const piece of ['+', '1', '0', ' ', '(-', '\u202d', 'tel:', ';', '١', '1;phone-context=+', 'ﷺ']) {
    const text = piece.repeat(100_000)
    const started = performance.now()
    t.equal(canonical(text), undefined)
    t.ok(performance.now() - started < 1000, JSON.stringify(piece))
  }
})

t.test('masks all but the end of a number', async (t) => {
  t.equal(maskedMobile('+8613800138000'), '***8000')
  t.equal(maskedMobile('+6837012'), '***12')
})

function spellingsOf(number: PhoneNumber, region: CountryCode): string[] {
  const { countryCallingCode: code, nationalNumber } = number
  const national = number.formatNational()
  return [
    number.number,
    number.formatInternational(),
    number.getURI(),
    national,
    nationalNumber,
    `\u202d${number.formatInternational()}\u202c`,
    ` (+${code}) ${nationalNumber}\n`,
    `+${code} ${national}`,
    `+${code} ${code} ${nationalNumber}`,
    `${code}${nationalNumber}`,
    `tel:${nationalNumber};phone-context=+${code}`,
    ...(WITH_LEADING_ZERO.includes(region)
      ? []
      : [`+${code} (0)${nationalNumber}`, `+${code} 0 ${nationalNumber}`, `+${code} 00 ${nationalNumber}`]),
  ]
}

/** Misspellings that are refused or mean the same number. */
function misspellingsOf(number: PhoneNumber, region: CountryCode): string[] {
  const { countryCallingCode: code, nationalNumber } = number
  return [
    `00${code}${nationalNumber}`,
    `+00${code}${nationalNumber}`,
    `+${code}+${code}${nationalNumber}`,
    `+${code}00${code}${nationalNumber}`,
    `+${code}${code}${code}${nationalNumber}`,
    `${code}${code}${nationalNumber}`,
    ...(WITH_LEADING_ZERO.includes(region)
      ? []
      : [`+${code} 000 ${nationalNumber}`, `00${code}0${nationalNumber}`]),
  ]
}

function randomDigits(random: ReturnType<typeof createRandom>, length: number): string {
  return Array.from({ length }, () => (random.chance(0.15) ? 0 : random.integer(0, 9))).join('')
}
