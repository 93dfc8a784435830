import { SETTING_SUMMARIES } from '../config/environment.js'
import { FILE_SETTINGS } from '../config/secret-files.js'

/** The settings as text, one line each. */
export function settingsHelp(): string {
  const width = Math.max(...SETTING_SUMMARIES.map(({ name }) => name.length))
  const lines = SETTING_SUMMARIES.map(({ name, preset, description }) => {
    const line = `  ${name.padEnd(width)}  ${description}`
    return preset === undefined ? line : `${line} (default: ${preset})`
  })
  return `
Settings, from the environment (docs/settings.md says more):
${lines.join('\n')}

From files of one line: ${FILE_SETTINGS.map((name) => `${name}_FILE`).join(', ')}`
}
