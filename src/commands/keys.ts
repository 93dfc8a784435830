import { type Command, Option } from 'commander'
import { OperatorError } from '../refusals/operator-error.js'
import { type KeySet, readKeySet } from '../tokens/keys/key-set.js'
import { changeKeySet, createKeySet, keySetText } from '../tokens/keys/key-set-file.js'
import { newKey } from '../tokens/keys/new-key.js'
import type { PrivateJwk } from '../tokens/keys/private-jwk.js'
import { PAIR_ALGORITHMS, type PairAlgorithm, signingKeyOf } from '../tokens/keys/signing-key.js'

interface GenerateOptions {
  algorithm: PairAlgorithm
  output?: string
  add?: string
  standby?: boolean
  json?: boolean
}

interface FileOptions {
  file: string
  json?: boolean
}

/** `auth-service keys …`, for the file that JWT_KEYS_FILE names. */
export function addKeyCommands(program: Command): void {
  const keys = program.command('keys').description('make signing keys, and change which of them signs')

  keys
    .command('generate')
    .description('make a private key, as a JWK set on standard output or in a file')
    .addOption(new Option('--algorithm <name>', 'kind of key').choices(PAIR_ALGORITHMS).default('EdDSA'))
    .option('--output <file>', 'write a new file that its owner alone may read')
    .addOption(new Option('--add <file>', 'add it to this file, as its last key').conflicts('output'))
    .option('--standby', 'the key signs only once it is promoted, even if it is the first')
    .option('--json', 'print JSON')
    .action(({ algorithm, output, add, standby = false, json }: GenerateOptions) => {
      const key = newKey(algorithm, { standby })
      if (add !== undefined) changeKeySet(add, ({ jwks }) => [...jwks, key])
      else if (output !== undefined) createKeySet(output, [key])
      else process.stdout.write(keySetText([key]))
      const file = add ?? output
      if (file !== undefined) print(file, json)
    })

  forFile('list', 'print the keys of a file, without their secret parts', () => undefined)
  forKey('promote', 'let this key sign from now on', ({ jwks }, index) => {
    const { key_ops: _, ...promoted } = jwks[index] ?? {}
    return [{ ...promoted, use: 'sig' }, ...jwks.toSpliced(index, 1)]
  })
  forKey('remove', 'remove a key: from now on tokens that it signed are refused', ({ keys, jwks }, index) => {
    if (keys[index] === signingKeyOf(keys))
      throw new OperatorError('this key signs: promote another one first')
    if (keys.length === 1) throw new OperatorError('this is the only key: a set without keys is refused')
    return jwks.toSpliced(index, 1)
  })

  function forFile(
    name: string,
    description: string,
    run: (options: FileOptions & { kid: string }) => void,
  ): Command {
    return keys
      .command(name)
      .description(description)
      .requiredOption('--file <file>', 'a file that keys generate has made')
      .option('--json', 'print JSON')
      .action((options) => {
        run(options)
        print(options.file, options.json)
      })
  }

  function forKey(
    name: string,
    description: string,
    change: (set: KeySet, index: number) => PrivateJwk[],
  ): void {
    forFile(name, description, ({ file, kid }) => {
      changeKeySet(file, (set) => {
        const index = set.keys.findIndex(({ id }) => id === kid)
        if (index < 0) throw new OperatorError(`${file} holds no key with this kid: keys list prints them`)
        return change(set, index)
      })
    }).requiredOption('--kid <kid>', 'the kid of the key, as keys list prints it')
  }
}

/** Prints the keys that the file holds now. */
function print(file: string, json = false): void {
  const { keys } = readKeySet(file)
  const signing = signingKeyOf(keys)
  const shown = keys.map((key) => ({ kid: key.id, algorithm: key.algorithm, signs: key === signing }))
  const lines = shown.map(
    ({ kid, algorithm, signs }) => `${kid} ${algorithm} ${signs ? 'signs' : 'checks'}\n`,
  )
  process.stdout.write(json ? `${JSON.stringify({ keys: shown })}\n` : lines.join(''))
}
