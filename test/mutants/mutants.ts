import type { Mutant } from './mutant.js'
import { answerMutants } from './mutants/answers.js'
import { credentialMutants } from './mutants/credentials.js'
import { gatewayMutants } from './mutants/gateways.js'
import { identifyMutants } from './mutants/identify.js'
import { protocolMutants } from './mutants/protocol.js'
import { userMutants } from './mutants/users.js'

export const MUTANTS: Mutant[] = [
  ...protocolMutants,
  ...identifyMutants,
  ...credentialMutants,
  ...answerMutants,
  ...gatewayMutants,
  ...userMutants,
]
