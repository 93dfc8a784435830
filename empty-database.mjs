/**
 * Last part of `npm run build`: makes dist/empty-database.tar.gz, the empty database that the first
 * start of embedded mode unpacks. That runs initdb in WebAssembly, which takes seconds and 600 MB.
 * Skipped unless PGlite may have changed.
 */
import { mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { isOutdated } from './outdated.mjs'

const ARCHIVE = 'dist/empty-database.tar.gz'
const WORKSHOP = 'dist/empty-database'

/** Newer than an outdated archive. */
const SIGNS_OF_CHANGE = ['node_modules/.package-lock.json', 'empty-database.mjs']

if (isOutdated(ARCHIVE, SIGNS_OF_CHANGE)) {
  // Code that runs once is not worth optimising.
  setFlagsFromString('--no-wasm-tier-up')
  setFlagsFromString('--no-wasm-dynamic-tiering')
  const [{ PGlite }, tar] = await Promise.all([import('@electric-sql/pglite'), import('tar')])
  rmSync(WORKSHOP, { recursive: true, force: true })
  mkdirSync(WORKSHOP, { recursive: true })
  const data = `${WORKSHOP}/data`
  const database = await PGlite.create(data)
  // Two thirds of the files, for making further databases: embedded mode makes none.
  for (const name of ['template0', 'template1']) {
    await database.exec(`alter database ${name} is_template false`)
    await database.exec(`drop database ${name}`)
  }
  await database.close()
  const file = `${WORKSHOP}/archive`
  await tar.create({ file, cwd: data, gzip: true, portable: true }, readdirSync(data))
  renameSync(file, ARCHIVE)
  rmSync(WORKSHOP, { recursive: true })
}
