import { readFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build, type Plugin } from 'esbuild'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** Git ignores it. What an earlier run has left there harms nobody, and another run may be using it. */
const BUILT = '.tap/built'

/**
 * Translates test files to JavaScript, to be run with the built service: with a loader in between, finding the seven hundred
 * files that a test loads takes longer than most tests do.
 *
 * @param files relative to the project
 * @returns the path of each after that
 */
export async function buildTests(files: string[]): Promise<{ name: string; path: string }[]> {
  await build({
    entryPoints: files,
    absWorkingDir: ROOT,
    outdir: BUILT,
    outbase: '.',
    bundle: true,
    splitting: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20.19',
    sourcemap: true,
    define: { 'import.meta.url': 'import_meta_url' },
    plugins: [builtService, ownUrls],
    logLevel: 'warning',
  })
  return files.map((name) => ({ name, path: join(ROOT, BUILT, name.replace(/\.ts$/, '.js')) }))
}

/** What tests take from src is in dist, as it runs. */
const builtService: Plugin = {
  name: 'built-service',
  setup({ onResolve }) {
    onResolve({ filter: /^\.\.?\// }, ({ path, resolveDir }) => {
      const inSource = relative(join(ROOT, 'src'), resolve(resolveDir, path))
      if (inSource.startsWith('..')) return undefined
      return { path: pathToFileURL(join(ROOT, 'dist', inSource)).href, external: true }
    })
  },
}

/** Tests look for other files beside themselves: where they are written, not where they are built. */
const ownUrls: Plugin = {
  name: 'own-urls',
  setup({ onLoad }) {
    onLoad({ filter: /\.ts$/ }, ({ path }) => ({
      loader: 'ts',
      contents: `const import_meta_url = ${JSON.stringify(pathToFileURL(path))};${readFileSync(path, 'utf8')}`,
    }))
  },
}
