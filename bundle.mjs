/**
 * Second part of `npm run build`: bundles the command line and everything that it loads into
 * dist/auth-service.js. Node.js takes longer to find and open some seven hundred files than to run
 * them. Every `npm start` waits for this script, so it is plain JavaScript, and does nothing when
 * nothing has changed.
 */
import { isOutdated } from './outdated.mjs'

const BUNDLE = 'dist/auth-service.js'

/**
 * Newer than an outdated bundle: tsc writes the first at each change of src, npm the second at each
 * installation.
 */
const SIGNS_OF_CHANGE = ['dist/.tsbuildinfo', 'node_modules/.package-lock.json', 'bundle.mjs']

/**
 * Not bundled: they look for files beside their own code, may be instrumented or replaced from
 * outside, or are large and seldom needed.
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

if (isOutdated(BUNDLE, SIGNS_OF_CHANGE)) {
  const { build } = await import('esbuild')
  await build({
    entryPoints: ['src/cli.ts'],
    outfile: BUNDLE,
    bundle: true,
    external: SEPARATE,
    platform: 'node',
    format: 'esm',
    target: 'node20.19',
    // An ES module has no `require`, which bundled CommonJS libraries use to load Node's modules.
    banner: {
      js: "import { createRequire } from 'node:module'\nconst require = createRequire(import.meta.url)",
    },
    logLevel: 'warning',
  })
}
