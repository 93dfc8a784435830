import { createKeyRing } from '../../../src/tokens/keys/key-ring.js'
import { secretKey } from '../../../src/tokens/keys/signing-key.js'
import { createTokens } from '../../../src/tokens/tokens.js'
import { SECRET } from '../../helper.js'
import { jwt } from './jwt.js'

const DAY_SECONDS = 86_400

/** Signs tokens without logins, with this stamp and the key of the tests, valid for a day. */
export function createSigner(stamp: number): (userId: number, sessionId: string) => string {
  const settings = { issuer: 'auth-service', audience: undefined }
  const tokens = createTokens({
    jwt,
    keys: createKeyRing([secretKey(SECRET)]),
    ...settings,
  })
  const issuedAt = Math.floor(stamp / 1000)
  return (userId, sessionId) => tokens.sign({ userId, sessionId, stamp, issuedAt, ttl: DAY_SECONDS })
}
