import t from 'tap'
import { build } from '../helper.js'
import { spawnProgram } from '../support/service-process.js'
import { readProject } from '../support/siblings.js'

const GUIDE = readProject('docs/siblings.md')
const EXAMPLES = [...GUIDE.matchAll(/<!-- run: (\S+) -->\n```\w+\n(.*?)```/gs)]

/** The command line that runs a text in each language. */
const INTERPRETERS: Record<string, (text: string) => [string, string[]]> = {
  sh: (text) => ['sh', ['-c', text]],
  node: (text) => [process.execPath, ['--input-type=module', '-e', text]],
  python3: (text) => ['python3', ['-c', text]],
}

t.test(
  'the examples of docs/siblings.md run as printed, with a live token and with a dead one',
  async (t) => {
    const service = await build(t)
    const userId = await service.addUser()
    const run = async (language: string, text: string, token: string) => {
      const [program, args] = INTERPRETERS[language]?.(
        text.replaceAll('http://127.0.0.1:3000', service.url),
      ) ?? ['false', []]
      const { code, stdout, stderr } = await spawnProgram(program, args, {
        env: { TOKEN: token },
        stdin: ' ',
      }).exited
      t.equal(code, 0, stderr)
      return stdout
    }

    t.strictSame(
      EXAMPLES.map(([, language]) => language),
      ['sh', 'node', 'python3'],
    )
    for (const [, language = '', text = ''] of EXAMPLES) {
      const token = await service.login()
      const live = await run(language, text, token)
      await service.logout(token)
      const dead = await run(language, text, token)

      t.match(live, language === 'sh' ? `"user_id":${userId}` : `user ${userId}`, language)
      t.match(dead, language === 'sh' ? '"error":"session_ended"' : 'refused: 401 session_ended', language)
    }
  },
)
