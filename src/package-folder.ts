// True of every file in this folder only: once built, the code of the folders below is in one file here.

/** The folder of the code: src, or dist. */
export const CODE_FOLDER = new URL('.', import.meta.url)

/** The folder of the package, with what is not code. */
export const PACKAGE_FOLDER = new URL('..', import.meta.url)
