import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import { join } from 'node:path'
import t from 'tap'
import { build } from '../helper.js'
import { answerJson, LIVE, TOKEN } from '../support/client.js'
import { spawnProgram, temporaryDirectory } from '../support/service-process.js'
import { listen, tcpStandIn } from '../support/stand-in.js'

const CLIENT = import.meta.resolve('@auth-service/client')

t.test('exit 0 of a process that has asked, with and without close()', async (t) => {
  const service = await build(t)
  const userId = await service.addUser()
  const token = await service.login()

  for (const end of ['', 'verifier.close()']) {
    const { code, stdout, stderr } = await run(`
      const verifier = createVerifier({ url: '${service.url}' })
      console.log('user', (await verifier.verify('${token}')).userId)
      ${end}`)

    t.strictSame({ code, stdout, stderr }, { code: 0, stdout: `user ${userId}\n`, stderr: '' })
  }
})

t.test('exit 0 after close() during calls, all of which reject with ServiceUnavailable', async (t) => {
  const { url } = await tcpStandIn(t, (socket) => void socket.resume())
  const started = performance.now()

  const { code, stdout, stderr } = await run(`
    const verifier = createVerifier({ url: '${url}', timeoutMs: 60_000 })
    const call = (token) => verifier.verify(token).catch(({ name, reason }) => console.log(name, reason))
    const calls = [...Array(150).keys()].map((index) => call('token' + index))
    await new Promise((resolve) => setTimeout(resolve, 200))
    calls.push(call('token0'), call('token0'), call('token149'))
    verifier.close()
    await Promise.all(calls)
    await call('later')`)

  t.strictSame({ code, stderr }, { code: 0, stderr: '' })
  t.strictSame(stdout.trimEnd().split('\n'), Array(154).fill('ServiceUnavailable auth-service: closed'))
  t.ok(performance.now() - started < 30_000, 'and not when the time is up')
})

t.test('exit 0 where several calls share a failure, without an unhandled rejection', async (t) => {
  const { code, stdout, stderr } = await run(`
    const { verify } = createVerifier({ url: 'http://127.0.0.1:9' })
    const call = (token) => verify(token).catch(({ name }) => console.log(name))
    for (const token of ['a', 'a', 'b', '"']) call(token)
    await call('a')
    await call('a')`)

  t.strictSame({ code, stderr }, { code: 0, stderr: '' })
  t.strictSame(stdout.trimEnd().split('\n').sort(), [...Array(5).fill('ServiceUnavailable'), 'TokenRefused'])
})

t.test('asks over https only where the certificate is trusted', async (t) => {
  const [key, cert] = makeCertificate()
  const server = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (_request, response) =>
    answerJson(response, 200, LIVE),
  )
  const url = (await listen(t, server)).replace('http:', 'https:')
  const ask = `
    const { verify } = createVerifier({ url: '${url}', timeoutMs: 20_000 })
    await verify('${TOKEN}').then(({ userId }) => console.log('user', userId), ({ reason }) => console.log(reason))`

  t.equal((await run(ask, { NODE_EXTRA_CA_CERTS: cert })).stdout, 'user 1\n')
  t.equal((await run(ask)).stdout, 'auth-service: DEPTH_ZERO_SELF_SIGNED_CERT\n')
})

/** The files of a key and of its self-signed certificate for 127.0.0.1. */
function makeCertificate(): [key: string, certificate: string] {
  const directory = temporaryDirectory()
  const files: [string, string] = [join(directory, 'key.pem'), join(directory, 'cert.pem')]
  const names = ['-subj', '/CN=auth.test', '-addext', 'subjectAltName=IP:127.0.0.1']
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const output = ['-keyout', files[0], '-out', files[1]]
  execFileSync('openssl', ['req', '-x509', '-days', '2', ...curve, ...names, ...output], { stdio: 'pipe' })
  return files
}

function run(text: string, env: NodeJS.ProcessEnv = {}) {
  const program = `import { createVerifier } from '${CLIENT}'\n${text}`
  return spawnProgram(process.execPath, ['--input-type=module', '-e', program], { env }).exited
}
