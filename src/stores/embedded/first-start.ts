import { existsSync } from 'node:fs'
import { access, mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { PACKAGE_FOLDER } from '../../package-folder.js'
import { OperatorError } from '../../refusals/operator-error.js'

/** Made by `npm run build`: see empty-database.mjs. */
const EMPTY_DATABASE = fileURLToPath(new URL('dist/empty-database.tar.gz', PACKAGE_FOLDER))

/** Bytes of the archive that are read at once: by default all, and then all that is in it is in memory. */
const READ_AT_ONCE = 64 * 1024

/** Files that are flushed at the same time: the disk joins what comes together. */
const FLUSHED_AT_ONCE = 16

/**
 * Puts an empty database into `directory` where there is none. It is unpacked beside its place and renamed when it is on
 * the disk: a first start that is cut off leaves nothing that the next one takes for a database.
 *
 * @throws OperatorError when it cannot be written, or something else is in its place.
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
  // Loaded here, because it is needed once in the life of a database.
  const { extract } = await import('tar')
  await mkdir(directory, { mode: 0o700 })
  // Nothing else goes on yet, and many small files are written sooner one after the other.
  extract({ file: EMPTY_DATABASE, cwd: directory, strict: true, sync: true, maxReadSize: READ_AT_ONCE })
  const paths = [
    directory,
    ...(await readdir(directory, { recursive: true })).map((name) => join(directory, name)),
  ]
  while (paths.length > 0) await Promise.all(paths.splice(-FLUSHED_AT_ONCE).map(flush))
}

/** Waits until a file or a directory is on the disk. */
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
