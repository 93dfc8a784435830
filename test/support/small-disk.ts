import { execFileSync, spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { temporaryDirectory } from './service-process.js'

const FILLING = 'filling'

/** The reason why no disk can be mounted here, false where one can. */
export function mountProblem(): string | false {
  const { status, stderr } = spawnSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'tmpfs', tmpdir()])
  return status === 0 ? false : `a small disk cannot be mounted: ${stderr}`
}

/** A directory that is a disk of this many kB, which is unmounted with the test. */
export function smallDisk(t: Test, kilobytes = 64): string {
  const directory = temporaryDirectory()
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${kilobytes}k`, 'tmpfs', directory])
  t.teardown(() => execFileSync('umount', ['-l', directory]))
  return directory
}

/** Fills the disk, up to the last byte of the blocks of existing files. */
export function fill(disk: string): void {
  execFileSync('sh', ['-c', `cat /dev/zero > '${join(disk, FILLING)}' || true`], { stdio: 'ignore' })
}

/** Frees what `fill` has taken. */
export function free(disk: string): void {
  rmSync(join(disk, FILLING))
}
