import t from 'tap'
import { createActionLog } from '../../src/logs/action-log.js'
import { lineForPeople } from '../../src/logs/for-people.js'
import { createLog } from '../../src/logs/log.js'

const lines: string[] = []
const stream = { write: (line: string) => void lines.push(line), close: async () => undefined }
const log = createLog('trace', stream)
const actions = createActionLog(stream)

t.beforeEach(() => {
  lines.length = 0
})

t.test('shows the local time and the message of a line of the service', async (t) => {
  log.info('listening at http://127.0.0.1:3000')

  const time = new Date(JSON.parse(lines[0] ?? '').time)
  t.match(shown(), /^\d\d:\d\d:\d\d listening at http:\/\/127\.0\.0\.1:3000\n$/)
  t.equal(shown().slice(0, 8), time.toTimeString().slice(0, 8))
})

t.test('shows the level of a warning, an error and a fatal error', async (t) => {
  for (const level of ['warn', 'error', 'fatal'] as const) {
    lines.length = 0
    log[level]('the disk is full')

    t.match(shown(), new RegExp(`^[\\d:]{8} ${level.toUpperCase()} the disk is full\n$`))
  }
  lines.length = 0
  log.debug('the disk is there')
  t.match(shown(), /^[\d:]{8} the disk is there\n$/)
})

t.test('shows further fields as name=value', async (t) => {
  log.info({ count: 3, path: 'a b', url: '/login?a=b', nested: { deep: [1] }, none: null }, 'read')

  t.match(shown(), / read count=3 path="a b" url=\/login\?a=b nested=\{"deep":\[1\]\}\n$/)
})

t.test('shows the stack of an error on lines of its own', async (t) => {
  log.error({ err: new TypeError('cannot read this') }, 'unexpected error')

  t.match(shown(), /^[\d:]{8} ERROR unexpected error\n {4}TypeError: cannot read this\n {4}at [^\n]+\n/)
})

t.test('shows an action, without the fields that it does not have', async (t) => {
  const origin = { url: '/login', method: 'POST', ip: '127.0.0.1', request_id: 'r-1' }
  actions.record('login', origin, { user_id: 7 })
  t.match(
    shown(),
    /^[\d:]{8} user logged in event=login user_id=7 url=\/login method=POST ip=127\.0\.0\.1 request_id=r-1\n$/,
  )

  lines.length = 0
  actions.record('user_added', { url: null, method: 'cli by root', ip: null, request_id: null })
  t.match(shown(), /^[\d:]{8} user added event=user_added method="cli by root"\n$/)
})

t.test('escapes what would move the cursor or reorder the text', async (t) => {
  log.info({ url: '/\u001b[2J\u009b2J\u202e', name: 'a\nb' }, 'one\ntwo\r')

  t.match(shown(), ' one\\u{a}two\\u{d} url=/\\u{1b}[2J\\u{9b}2J\\u{202e} name="a\\nb"\n')
})

function shown(): string {
  return lineForPeople(lines.at(-1) ?? '')
}
