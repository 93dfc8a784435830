import { readFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build, type Plugin } from 'esbuild'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** Git ignores it. It is never emptied: another run may be using it. */
const BUILT = '.tap/built'

/**
 * Translates test files to JavaScript that runs with the built service. A loader would need longer
 * to resolve the files that a test loads than most tests run.
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

/** Imports from src are resolved in dist, as the service runs. */
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

/** Tests find other files beside their source, not beside what was built. */
const ownUrls: Plugin = {
  name: 'own-urls',
  setup({ onLoad }) {
    onLoad({ filter: /\.ts$/ }, ({ path }) => ({
      loader: 'ts',
      contents: `const import_meta_url = ${JSON.stringify(pathToFileURL(path))};${readFileSync(path, 'utf8')}`,
    }))
  },
}
