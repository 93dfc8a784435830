// Must stay at the root of src: in the bundle, `import.meta.url` is dist/auth-service.js.

/** The folder of the code, as a file URL: src or dist. */
export const CODE_FOLDER = new URL('.', import.meta.url)

/** The root folder of the package, as a file URL. */
export const PACKAGE_FOLDER = new URL('..', import.meta.url)
