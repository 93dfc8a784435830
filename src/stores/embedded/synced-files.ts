import { fsyncSync } from 'node:fs'
import type { NodeFS } from '@electric-sql/pglite/nodefs'

/**
 * PGlite's files on disk, with an `fsync`. PGlite's own class has none: a power cut could undo
 * commits that were acknowledged, or damage the database.
 */
export async function syncedFiles(directory: string): Promise<NodeFS> {
  const { NodeFS } = await import('@electric-sql/pglite/nodefs')

  class SyncedFiles extends NodeFS {
    override async init(...args: Parameters<NodeFS['init']>) {
      const { emscriptenOpts } = await super.init(...args)
      emscriptenOpts.preRun?.push(({ FS: { filesystems } }) => {
        const { NODEFS } = filesystems
        NODEFS.stream_ops.fsync = ({ nfd }: { nfd: number }) => NODEFS.tryFSOperation(() => fsyncSync(nfd))
      })
      return { emscriptenOpts }
    }
  }

  return new SyncedFiles(directory)
}
