import t from 'tap'
import { build } from '../helper.js'
import { corpusFiles, needsCorpora } from '../support/corpora.js'
import { exchange, request } from '../support/raw-http.js'

t.test('Accept-Language', async (t) => {
  const service = await build(t)

  const wanted: [language: 'en' | 'zh', situation: string, ...values: string[]][] = [
    ['en', 'no header is sent'],
    ['en', 'the header is empty', ''],
    ['en', 'any language is accepted', '*'],
    ['en', 'only other languages are named', 'fr-CH, fr;q=0.9, de;q=0.7'],
    ['en', 'English is named', 'en-GB'],
    ['zh', 'Chinese is named', 'zh'],
    ['zh', 'Chinese is named in another case', 'ZH-cn'],
    ['zh', 'a region of Chinese is named', 'zh-CN', 'zh-TW'],
    ['zh', 'a script of Chinese is named', 'zh-Hans', 'zh-Hant-HK'],
    ['zh', 'other languages come first', 'fr, de;q=0.9, zh;q=0.1'],
    ['zh', 'Chinese weighs more', 'en;q=0.8, zh;q=0.9', 'en;q=0.8,zh-CN'],
    ['en', 'English weighs more', 'zh;q=0.8, en;q=0.9', 'zh;q=0.999, en'],
    ['zh', 'both weigh the same and Chinese is first', 'zh-CN, en', 'zh;q=0.5, en;q=0.5'],
    ['en', 'both weigh the same and English is first', 'en-US, zh'],
    ['zh', 'a browser prefers Chinese', 'zh-CN,zh;q=0.9,en;q=0.8'],
    ['en', 'a browser prefers a regional English', 'en-US,zh;q=0.9,en;q=0.8'],
    ['en', 'Chinese is refused', 'zh;q=0', 'zh;q=0.000', 'zh;q=0, *'],
    ['zh', 'English is refused and any other language is accepted', 'en;q=0, *', 'en;q=0, *;q=0.1'],
    ['en', 'everything is refused', '*;q=0', 'en;q=0'],
    ['en', 'another language tag begins with zh', 'zha', 'zho-x', 'chinese'],
    ['en', 'the value is malformed', ';;;', 'zh;q=high', 'zh q=1', '"zh', '\xe4\xb8\xad\xe6\x96\x87', '=,;q'],
    ['en', 'the value is very long', `zh${', zh'.repeat(1900)}`, '*,'.repeat(3500), ';'.repeat(7000)],
  ]
  for (const [language, situation, ...values] of wanted) {
    t.test(`${language} where ${situation}`, async (t) => {
      const lines = values.map((value) => [`Accept-Language: ${value}`])
      for (const headers of lines.length > 0 ? lines : [[]])
        t.equal(await languageFor(headers), language, String(headers))
    })
  }

  t.test('reads several Accept-Language headers as one list', async (t) => {
    t.equal(await languageFor(['Accept-Language: en;q=0.5', 'Accept-Language: zh']), 'zh')
    t.equal(await languageFor(['Accept-Language: zh;q=0.5', 'Accept-Language: en']), 'en')
  })

  t.test('404 in English or Chinese for any bytes in the header', needsCorpora(), async (t) => {
    const values = corpusFiles('JSONTestSuite/test_parsing')
      .map(({ bytes }) => bytes.toString('latin1').replace(/[^\t\x20-\x7e\x80-\xff]/g, ' '))
      .filter((value) => value.length < 8000)

    for (const value of values)
      t.match(await languageFor([`Accept-Language: ${value}`]), /^(en|zh)$/, value.slice(0, 80))
    t.ok(values.length > 300)
  })

  /** Over a bare socket, because fetch() always sends an Accept-Language of its own. */
  async function languageFor(headers: string[]): Promise<string | undefined> {
    const sent = request('GET', '/nowhere', [...headers, 'Connection: close'])
    const { status, headers: answered } = (await exchange(service.url, sent)).answers[0] ?? {}
    t.match({ status, answered }, { status: 404, answered: { vary: 'accept-language' } })
    return answered?.['content-language']
  }
})
