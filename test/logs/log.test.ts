import assert from 'node:assert'
import { execFileSync, spawn } from 'node:child_process'
import {
  appendFileSync,
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { createActionLog } from '../../src/logs/action-log.js'
import { createLog } from '../../src/logs/log.js'
import { type LogStream, openLogStream } from '../../src/logs/log-stream.js'
import { PATIENCE } from '../support/patience.js'
import { until } from '../support/servers.js'
import { temporaryDirectory } from '../support/service-process.js'
import { fill, free, mountProblem, smallDisk } from '../support/small-disk.js'

const HERE = { url: '/login', method: 'POST', ip: '127.0.0.1', request_id: 'r' }

/** The most bytes that may wait in memory. */
const MAX_WAITING_BYTES = 1 << 20

t.test('writes the next line to the file of this name', async (t) => {
  const rotations: Record<string, (path: string) => void> = {
    'after it was renamed': (path) => renameSync(path, `${path}.1`),
    'after it was renamed and another one was created': (path) => {
      renameSync(path, `${path}.1`)
      writeFileSync(path, '', { mode: 0o640 })
    },
    'after it was copied and truncated': (path) => {
      copyFileSync(path, `${path}.1`)
      truncateSync(path)
    },
    'after it was removed': (path) => rmSync(path),
    'after its directory was removed': (path) => rmSync(join(path, '..'), { recursive: true }),
    'after its directory was renamed': (path) => renameSync(join(path, '..'), join(path, '../../away')),
  }
  for (const [situation, rotate] of Object.entries(rotations)) {
    t.test(situation, async (t) => {
      const path = join(temporaryDirectory(), 'logs', 'action.log')
      const stream = opened(t, path)
      await written(stream, path, 'before\n')

      rotate(path)
      stream.write('after\n')

      await until(() => assert.equal(readFileSync(path, 'utf8'), 'after\n'), PATIENCE)
    })
  }

  t.test('without changing the mode with which it was created', async (t) => {
    const path = join(temporaryDirectory(), 'action.log')
    const stream = opened(t, path)
    await written(stream, path, 'before\n')
    rmSync(path)
    writeFileSync(path, '')
    execFileSync('chmod', ['640', path])

    await written(stream, path, 'after\n')

    t.equal((statSync(path).mode & 0o777).toString(8), '640')
  })

  t.test('without losing a line while it is renamed again and again', async (t) => {
    const directory = temporaryDirectory()
    const path = join(directory, 'action.log')
    const stream = opened(t, path)
    for (let count = 0; count < 2000; count++) {
      stream.write(`${count}\n`)
      if (count % 100 === 0) {
        await until(() => assert.ok(existsSync(path)), PATIENCE)
        renameSync(path, `${path}.${count}`)
      }
    }
    await stream.close()

    const files = execFileSync('sh', ['-c', `cat '${directory}'/*`], { encoding: 'utf8' })
    const numbers = files.trim().split('\n').map(Number)
    t.strictSame(
      numbers.sort((a, b) => a - b),
      Array.from({ length: 2000 }, (_, index) => index),
    )
  })
})

t.test('reopen opens the file by its name at once, and closes the other one', async (t) => {
  const path = join(temporaryDirectory(), 'action.log')
  const stream = opened(t, path)
  renameSync(path, `${path}.1`)

  stream.reopen()

  await until(() => assert.ok(existsSync(path)), PATIENCE)
  const open = execFileSync('sh', ['-c', `ls -l /proc/${process.pid}/fd`], { encoding: 'utf8' })
  t.notMatch(open, `${path}.1`)
  t.match(open, path)
})

t.test('a truncated line', async (t) => {
  t.test('of another process stays a line of its own', async (t) => {
    const path = join(temporaryDirectory(), 'action.log')
    const stream = opened(t, path)
    appendFileSync(path, '{"half":')

    await written(stream, path, '{"half":\n{"whole":1}\n', '{"whole":1}\n')
  })

  t.test('of another process stays a line of its own on a shared standard output', async (t) => {
    const path = join(temporaryDirectory(), 'out.log')
    const fd = openSync(path, 'a')
    t.teardown(() => closeSync(fd))
    const stream = openLogStream(fd)
    appendFileSync(path, '{"half":')

    await written(stream, path, '{"half":\n{"whole":1}\n', '{"whole":1}\n')
  })

  t.test('on a full disk is written again, whole', { skip: mountProblem() }, async (t) => {
    const path = join(smallDisk(t), 'action.log')
    const stream = opened(t, path)
    const lines = Array.from(
      { length: 60 },
      (_, index) => `${JSON.stringify({ index, text: 'x'.repeat(1500) })}\n`,
    )
    for (const line of lines) stream.write(line)
    // The disk holds 64 kB, so one of the lines fits only in part.
    await until(() => assert.ok(statSync(path).size === 65_536), PATIENCE)

    truncateSync(path)
    await until(() => assert.match(readFileSync(path, 'utf8'), /"index":59/), PATIENCE)

    const text = readFileSync(path, 'utf8')
    for (const line of text.trimEnd().split('\n')) t.ok(isJson(line), line.slice(0, 30))
  })
})

t.test('a full disk', { skip: mountProblem() }, async (t) => {
  t.test('is reported at once in the other log, and loses no line that can wait', async (t) => {
    const { disk, actions, said, path } = logsOnSmallDisk(t)
    fill(disk)

    for (let id = 1; id <= 100; id++) actions.record('login', HERE, { user_id: id })
    await until(
      () => assert.match(said(), /0 lines of the action log were lost: ENOSPC; \d+ more wait/),
      PATIENCE,
    )
    free(disk)

    await until(() => assert.equal(userIds(path).length, 100), PATIENCE)
    t.strictSame(
      userIds(path),
      Array.from({ length: 100 }, (_, index) => index + 1),
    )
    await until(
      () => assert.match(said(), /the action log is written again; 0 lines of it were lost: ENOSPC/),
      PATIENCE,
    )
    t.notMatch(readFileSync(path, 'utf8'), 'lines_lost')
  })

  t.test('loses the lines that exceed what can wait, and reports their number in both logs', async (t) => {
    const { disk, actions, said, path } = logsOnSmallDisk(t)
    fill(disk)
    const url = `/${'x'.repeat(10_000)}`
    const count = Math.ceil((1.5 * MAX_WAITING_BYTES) / url.length)

    for (let id = 1; id <= count; id++) actions.record('login', { ...HERE, url }, { user_id: id })
    await until(() => assert.match(said(), /lost: ENOSPC/), PATIENCE)
    execFileSync('mount', ['-o', 'remount,size=8m', disk])
    await until(() => assert.match(readFileSync(path, 'utf8'), /lines_lost/), PATIENCE)
    actions.record('logout', HERE, { user_id: 1 })
    await until(() => assert.match(readFileSync(path, 'utf8'), /"event":"logout"/), PATIENCE)

    const events = linesOf(path).map((line) => JSON.parse(line))
    const logins = events.filter(({ event }) => event === 'login').length
    const losses = events.filter(({ event }) => event === 'lines_lost')
    t.equal(losses.length, 1)
    t.match(losses[0], {
      msg: 'lines of this log were lost',
      user_id: null,
      reason: 'ENOSPC',
      method: 'service',
    })
    t.equal(logins + losses[0].count, count)
    t.ok(losses[0].count > 0)
    t.match(said(), `the action log is written again; ${losses[0].count} lines of it were lost: ENOSPC`)
    t.ok(
      said()
        .split('\n')
        .filter((line) => line.includes('more wait')).length <= 2,
      'not for every line',
    )
  })

  t.test('is reported on close with the number of lines that could not be written', async (t) => {
    const { disk, actions, said } = logsOnSmallDisk(t)
    fill(disk)

    for (let id = 1; id <= 3; id++) actions.record('login', HERE, { user_id: id })
    await actions.close()

    t.match(said(), /3 lines of the action log were lost: ENOSPC/)
  })
})

t.test('opens a file again and again until that succeeds', async (t) => {
  const directory = temporaryDirectory()
  const path = join(directory, 'logs', 'action.log')
  const { actions, said } = actionLogAt(t, path)
  renameSync(join(directory, 'logs'), join(directory, 'away'))
  writeFileSync(join(directory, 'logs'), 'a file where the directory was')

  actions.record('login', HERE, { user_id: 1 })
  await until(() => assert.match(said(), /lost: E(EXIST|NOTDIR); 1 more wait/), PATIENCE)
  rmSync(join(directory, 'logs'))
  mkdirSync(join(directory, 'logs'))

  await until(() => assert.ok(existsSync(path) && userIds(path).length > 0), PATIENCE)
  t.strictSame(userIds(path), [1])
})

t.test('writes to a pipe by its name', async (t) => {
  const script = `import { openLogStream } from '${new URL('../../src/logs/log-stream.ts', import.meta.url)}'
    const stream = openLogStream('/dev/stdout')
    stream.write('one\\n')
    stream.write('two\\n')
    await stream.close()`

  // Node.js gives its children sockets, which cannot be opened by a name, so a shell makes a pipe.
  const command = `'${process.execPath}' --import=tsx --input-type=module --eval "$SCRIPT" | cat`
  const env = { PATH: process.env.PATH, SCRIPT: script }

  t.equal(execFileSync('sh', ['-c', command], { env, encoding: 'utf8' }), 'one\ntwo\n')
})

t.test('loses lines to a pipe that is not read, and reports their number once it is read', async (t) => {
  const pipe = join(temporaryDirectory(), 'pipe')
  execFileSync('mkfifo', [pipe])
  const holder = spawn('sh', ['-c', `exec sleep 1000 <> '${pipe}'`], { stdio: 'ignore' })
  t.teardown(() => holder.kill('SIGKILL'))
  const fd = openSync(pipe, 'r+')
  const stream = openLogStream(fd)
  const log = createLog('info', stream)
  const count = Math.ceil((1.5 * MAX_WAITING_BYTES) / 1000)

  for (let line = 0; line < count; line++) log.info({ line, text: 'x'.repeat(1000) })
  const reader = spawn('cat', [pipe], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => reader.kill('SIGKILL'))
  let text = ''
  reader.stdout.setEncoding('utf8').on('data', (piece) => (text += piece))
  await until(() => assert.match(text, /lines of this log were lost/), PATIENCE)
  const notice = /(\d+) lines of this log were lost: it is written too slowly/.exec(text)
  await until(() => assert.equal(text.match(/"line":/g)?.length, count - Number(notice?.[1])), PATIENCE)

  for (const line of text.trimEnd().split('\n')) assert.ok(isJson(line))
  t.ok(Number(notice?.[1]) > 0)
  await stream.close()
  closeSync(fd)
})

function opened(t: Test, path: string) {
  const stream = openLogStream(path)
  t.teardown(stream.close)
  return stream
}

async function written(stream: LogStream, path: string, text: string, line = text): Promise<void> {
  stream.write(line)
  await until(() => assert.equal(readFileSync(path, 'utf8'), text), PATIENCE)
}

/** An action log, and what the log of the service says of it. */
function actionLogAt(t: Test, path: string) {
  const lines: string[] = []
  const log = createLog('info', { write: (line) => void lines.push(line), close: async () => undefined })
  const actions = createActionLog(openLogStream(path), log)
  t.teardown(actions.close)
  return { actions, path, said: () => lines.join('') }
}

function logsOnSmallDisk(t: Test) {
  const disk = smallDisk(t)
  return { disk, ...actionLogAt(t, join(disk, 'action.log')) }
}

function linesOf(path: string): string[] {
  return readFileSync(path, 'utf8').trimEnd().split('\n').filter(isJson)
}

function userIds(path: string): number[] {
  return linesOf(path).map((line) => JSON.parse(line).user_id)
}

function isJson(text: string): boolean {
  try {
    return typeof JSON.parse(text) === 'object'
  } catch {
    return false
  }
}
