import { statSync } from 'node:fs'

/**
 * Whether a build product is missing, or one of the files that tell of a change is newer. Every
 * `npm start` asks, and skips what is still good.
 */
export function isOutdated(product, signsOfChange) {
  return !signsOfChange.every((path) => changedAt(path) < changedAt(product))
}

/** NaN for a missing file: no comparison with it is true. */
function changedAt(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Number.NaN
}
