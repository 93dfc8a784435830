import { createCheck } from './check.js'
import { createEnd } from './end.js'
import { createLogin } from './log-in.js'
import { createPasswordChange } from './password-change.js'
import { createPasswordProof } from './password-proof.js'

/** What all of the steps need. */
type Needs = Parameters<typeof createPasswordProof>[0] &
  Parameters<typeof createLogin>[0] &
  Parameters<typeof createCheck>[0] &
  Parameters<typeof createEnd>[0] &
  Parameters<typeof createPasswordChange>[0]

export type Sessions = ReturnType<typeof createSessions>

/**
 * The session protocol: one live session per user over two stores. D, the row in PostgreSQL, is the
 * authority. R, the registry in Redis, is a max-register. A change is committed in D with a
 * compare-and-set, then joined into R, and acknowledged only when both have it. The steps have the
 * names of the model, test/model/steps.ts.
 */
export function createSessions(needs: Needs) {
  const provePassword = createPasswordProof(needs)
  return {
    begin: createLogin(needs, provePassword),
    ...createCheck(needs),
    end: createEnd(needs),
    changePassword: createPasswordChange(needs, provePassword),
  }
}
