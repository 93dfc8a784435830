/**
 * `npm run build`, last part: an empty database in dist/empty-database.tar.gz, which the first start of embedded mode
 * unpacks. Making one means running initdb in WebAssembly: seconds, and 600 MB. Done only when there may be another PGlite.
 */
import { mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'

const ARCHIVE = 'dist/empty-database.tar.gz'
const WORKSHOP = 'dist/empty-database'

/** Newer than the archive where it is out of date. */
const SIGNS_OF_CHANGE = ['node_modules/.package-lock.json', 'empty-database.mjs']

if (!SIGNS_OF_CHANGE.every((path) => changedAt(path) < changedAt(ARCHIVE))) {
  // What runs once is not worth optimising.
  setFlagsFromString('--liftoff-only')
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

/** NaN for what is not there, which is neither older nor newer than anything. */
function changedAt(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Number.NaN
}
