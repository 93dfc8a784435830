import { fsyncSync } from 'node:fs'
import type { NodeFS } from '@electric-sql/pglite/nodefs'

/**
 * Files for PGlite that `fsync` reaches. Its own have no such call: a power cut could then take back what was
 * answered before, or damage the database.
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
