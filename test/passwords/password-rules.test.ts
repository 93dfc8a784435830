import { randomBytes, randomUUID } from 'node:crypto'
import { dictionary } from '@zxcvbn-ts/language-common'
import t from 'tap'
import { requireUncommon } from '../../src/passwords/password-rules.js'
import { LANGUAGES } from '../../src/refusals/language.js'
import { Refusal } from '../../src/refusals/refusal.js'
import { createRandom } from '../faults/random.js'
import { MOBILE } from '../helper.js'

/** The message that refuses a password, undefined where it is accepted. */
async function refusal(password: string, mobile = MOBILE): Promise<Refusal['msg'] | undefined> {
  try {
    await requireUncommon(password, 'new', mobile)
    return undefined
  } catch (error) {
    if (error instanceof Refusal && error.slug === 'invalid_request') return error.msg
    throw error
  }
}

const EASY: Record<string, string[]> = {
  'one character or two': [
    'a'.repeat(15),
    ' '.repeat(15),
    '0'.repeat(72),
    '雨'.repeat(15),
    '🌂'.repeat(15),
    '010101010101010',
  ],
  'white space': ['\t'.repeat(15), '\u00a0'.repeat(15), ' \u3000'.repeat(8), ' \t\n \t\n \t\n \t\n \t\n'],
  'a repeated pattern': [
    'abcabcabcabcabc',
    'passwordpassword',
    'Password1 Password1',
    'iloveyouiloveyou',
    '5201314520131452',
    '我爱你我爱你我爱你我爱你我爱你',
    '198001011980010',
  ],
  'a sequence': [
    '123456789012345',
    '098765432109876',
    'abcdefghijklmno',
    'zyxwvutsrqponml',
    'vwxyzabcdefghij',
    '112233445566778899',
    '1111122222333334',
    'aaabbbcccdddeee',
    '１２３４５６７８９０１２３４５',
    '一二三四五六七八九十一二三四五',
    '1.2.3.4.5.6.7.8.9.0',
    '1 2 3 4 5 6 7 8 9 0',
  ],
  'two sequences woven together': [
    '1q2w3e4r5t6y7u8i',
    'q1w2e3r4t5y6u7i8o9',
    'a1b2c3d4e5f6g7h8',
    '1a2b3c4d5e6f7g8h',
  ],
  'rows of the keyboard': [
    'qwertyuiopasdfgh',
    'asdfghjkl123456789',
    'poiuytrewqlkjhgfdsa',
    'azertyuiopqsdfgh',
    'qwertzuiopasdfgh',
    'qazwsxedcrfvtgbyhn',
    '1qaz2wsx3edc4rfv',
    '!qaz@wsx#edc$rfv',
    '!@#$%^&*()!@#$%^&*()',
    '147258369147258369',
  ],
  'common words': [
    'password123password',
    'PasswordPassword1!',
    'P@ssw0rd12345678',
    'p a s s w o r d 1 2 3',
    'drowssapdrowssap1',
    'monkeydragonmaster',
    'letmein please 1',
    'thisismypassword',
    'administrator123',
    'Aa123456Aa123456',
    'qq123456789qq123',
    'Summer2024Summer2024',
  ],
  'words that are common in China': [
    'woaini1314520woaini',
    'woaizhongguo1314',
    'wodemima123456789',
    'ILoveYou1314520',
    'zhang1234567890',
    'nihaonihaonihao',
    'yuanfen5201314yuanfen',
  ],
  'the name of the service': [
    'authserviceauthservice',
    'auth-service-password',
    'AuthService12345',
    'videoplatform123',
  ],
}

for (const [what, passwords] of Object.entries(EASY)) {
  t.test(`400 for ${what}`, async (t) => {
    for (const password of passwords)
      t.match((await refusal(password))?.en, /^new is too easy to guess/, password)
  })
}

t.test('400 for the own mobile number in any spelling, with little around it', async (t) => {
  for (const password of [
    '1380013800013800138000',
    '+86 138 0013 8000',
    '008613800138000',
    '13800138000 13800138000',
    '138-0013-8000-1234',
    '13800138000@qq.com',
    'abc13800138000def',
    '１３８００１３８０００abcd',
    '١٣٨٠٠١٣٨٠٠٠ abcd',
    '一三八零零一三八零零零 手机号码',
    '13800138000!@#$%^&*()',
  ]) {
    t.match((await refusal(password))?.en, /^new is little more than the mobile number/, password)
  }
  t.ok(await refusal('138001380001380'), 'cut off')
  t.ok(await refusal('00083100831 00083100831'), 'backwards')
  t.ok(await refusal('139-5728-4061 kqz', '+8613957284061'))
  t.equal(await refusal('139-5728-4061 kqz'), undefined, 'of somebody else')
  t.equal(await refusal('call me at 13800138000 tonight'), undefined)
})

t.test('accepts a short sentence', async (t) => {
  for (const password of [
    'correct horse battery staple',
    'seven wet umbrellas in a row',
    'eight dry parasols',
    'nine folded tents',
    'fifteen letters',
    'purple monkey dishwasher',
    'blue table sky lamp',
    'four yellow ducks',
    'my dog ate 3 blue socks',
    'je mange une pomme rouge',
    'vier kleine Igel im Garten',
    'wo xihuan zai haibian sanbu',
    '三只小猫在屋顶上唱歌跳舞喝茶看',
    '今天天气真好我们去公园散步吧朋友',
    'Tr0ub4dor&3-and-more',
    'i_UlPde47dDYofzqwRgC',
  ]) {
    t.equal(await refusal(password), undefined, password)
  }
})

t.test('accepts fifteen random characters, and four random words', async (t) => {
  const random = createRandom(3)
  const text = (alphabet: string) => Array.from({ length: 15 }, () => random.pick([...alphabet])).join('')
  const words = dictionary['diceware-common']
  const printable = String.fromCharCode(...Array.from({ length: 95 }, (_, index) => 32 + index))
  const generators: Record<string, () => string> = {
    digits: () => text('0123456789'),
    hexadecimal: () => text('0123456789abcdef'),
    letters: () => text('abcdefghijklmnopqrstuvwxyz'),
    'letters and digits': () => text('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'),
    'all of ASCII': () => text(printable),
    'punctuation marks': () => text('!@#$%^&*()-_=+[]{};:,.<>?/'),
    base64url: () => randomBytes(12).toString('base64url'),
    'a UUID': () => randomUUID(),
    'four words': () => Array.from({ length: 4 }, () => random.pick(words)).join(' '),
  }
  for (const [name, generate] of Object.entries(generators)) {
    const refused: string[] = []
    for (let index = 0; index < 150; index++) {
      const password = generate()
      if (await refusal(password)) refused.push(password)
    }
    t.strictSame(refused, [], name)
  }
})

t.test('repeats nothing of the password in the message', async (t) => {
  for (const password of ['sesamesesamesesame', '13800138000sesame']) {
    const msg = await refusal(password)
    for (const language of LANGUAGES) t.notMatch(msg?.[language] ?? password, /sesame|138/)
  }
})

t.test('judges the slowest passwords within 100 ms of CPU time', async (t) => {
  await refusal('four yellow ducks')
  for (const piece of [
    'p4ssw0rd',
    '4@8({[3#6!1|0$5+7%2',
    'a4s5e3l1o0t7',
    '123qwe',
    'qwertyuiop',
    'pa55w0rd1ov3',
    '😀',
    '0',
  ]) {
    const { user, system } = process.cpuUsage()
    await refusal(piece.repeat(72).slice(0, 72))
    const used = process.cpuUsage({ user, system })
    t.ok((used.user + used.system) / 1000 < 100, piece)
  }
})
