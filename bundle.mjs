/**
 * `npm run build`, second half: the command line and all that it loads in one file, dist/auth-service.js. Node.js takes
 * longer to find and open some seven hundred files than to run them. JavaScript, and done only when there is something new,
 * because every `npm start` waits for it.
 */
import { statSync } from 'node:fs'

const BUNDLE = 'dist/auth-service.js'

/** Newer than the bundle where it is out of date: what tsc notes of each change of src, what npm notes of each installation. */
const SIGNS_OF_CHANGE = ['dist/.tsbuildinfo', 'node_modules/.package-lock.json', 'bundle.mjs']

/**
 * Left as they are: they look for files beside their own code, are what one instruments or replaces
 * from outside, or are large and seldom needed.
 */
const SEPARATE = [
  '@electric-sql/pglite',
  '@electric-sql/pglite-socket',
  'tar',
  '@fastify/swagger-ui',
  'piscina',
  'postgres',
  'ioredis',
  '@zxcvbn-ts/core',
  '@zxcvbn-ts/language-common',
]

if (!SIGNS_OF_CHANGE.every((path) => changedAt(path) < changedAt(BUNDLE))) {
  const { build } = await import('esbuild')
  await build({
    entryPoints: ['src/cli.ts'],
    outfile: BUNDLE,
    bundle: true,
    external: SEPARATE,
    platform: 'node',
    format: 'esm',
    target: 'node20.19',
    // An ES module has no `require`, and libraries that are none ask for Node's own modules by it.
    banner: {
      js: "import { createRequire } from 'node:module'\nconst require = createRequire(import.meta.url)",
    },
    logLevel: 'warning',
  })
}

/** NaN for what is not there, which is neither older nor newer than anything. */
function changedAt(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Number.NaN
}
