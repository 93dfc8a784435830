#!/usr/bin/env node
// Committed, unlike the bundle: npx links it once, also before a build, and never looks again.
import { existsSync } from 'node:fs'

const BUNDLE = new URL('../dist/auth-service.js', import.meta.url)

/** Shorter than the time in which two signals are taken for one (src/process/signals.ts). */
const WATCH_EVERY_MS = 250

if (existsSync(BUNDLE)) {
  if (process.env.npm_lifecycle_event === 'npx') endWithParent()
  await import(BUNDLE.href)
} else {
  process.stderr.write('auth-service: not built yet: run npm run build\n')
  process.exitCode = 1
}

/** npx sends SIGTERM only to the shell that it starts, which ends without passing it on. */
function endWithParent() {
  const parent = process.ppid
  const watch = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(watch)
    process.kill(process.pid, 'SIGTERM')
  }, WATCH_EVERY_MS).unref()
}
