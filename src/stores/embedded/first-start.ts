import { existsSync } from 'node:fs'
import { access, mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { PACKAGE_FOLDER } from '../../package-folder.js'
import { OperatorError } from '../../refusals/operator-error.js'

/** Made by `npm run build`: see empty-database.mjs. */
const EMPTY_DATABASE = fileURLToPath(new URL('dist/empty-database.tar.gz', PACKAGE_FOLDER))

/** How much of the archive tar reads at a time, in bytes. By default it reads all of it at once. */
const READ_AT_ONCE = 64 * 1024

/** Concurrent flushes: the disk merges flushes that arrive together. */
const FLUSHED_AT_ONCE = 16

/**
 * Puts an empty database into `directory` unless one is there. It is unpacked beside its place,
 * flushed, then renamed: an interrupted first start leaves nothing that the next one takes for a
 * database.
 *
 * @throws OperatorError when it cannot be written, or something else is in its place
 */
export async function unpackDatabase(directory: string): Promise<void> {
  if (existsSync(join(directory, 'PG_VERSION'))) return
  await access(EMPTY_DATABASE)
  const unfinished = `${directory}.new`
  try {
    await rm(unfinished, { recursive: true, force: true })
    await unpack(unfinished)
    await rename(unfinished, directory)
    await flush(dirname(directory))
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true })
    throw explain(error as NodeJS.ErrnoException, directory)
  }
}

async function unpack(directory: string): Promise<void> {
  // Imported lazily: needed once in the life of a database.
  const { extract } = await import('tar')
  await mkdir(directory, { mode: 0o700 })
  // Synchronous: nothing else runs yet, and many small files are written faster one by one.
  extract({ file: EMPTY_DATABASE, cwd: directory, strict: true, sync: true, maxReadSize: READ_AT_ONCE })
  const paths = [
    directory,
    ...(await readdir(directory, { recursive: true })).map((name) => join(directory, name)),
  ]
  while (paths.length > 0) await Promise.all(paths.splice(-FLUSHED_AT_ONCE).map(flush))
}

/** Flushes a file or a directory to the disk (fsync). */
async function flush(path: string): Promise<void> {
  const file = await open(path)
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}

function explain(error: NodeJS.ErrnoException, directory: string): Error {
  if (error.code === 'ENOTEMPTY' || error.code === 'EEXIST') {
    return new OperatorError(`the database in ${directory} is damaged: it has no PG_VERSION`)
  }
  return error.syscall ? new OperatorError(`DATA_DIR: cannot write ${directory} (${error.code})`) : error
}
