/**
 * `npm run build`, second half: the command line and all that it loads in one file, dist/auth-service.js. Node.js takes
 * longer to find and open some seven hundred files than to run them.
 */
import { build } from 'esbuild'

/** Left as they are: they look for files beside their own code, or are what one instruments or replaces from outside. */
const SEPARATE = [
  '@electric-sql/pglite',
  '@electric-sql/pglite-socket',
  '@fastify/swagger-ui',
  'piscina',
  'pg',
  'ioredis',
]

await build({
  entryPoints: ['src/cli.ts'],
  outfile: 'dist/auth-service.js',
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
