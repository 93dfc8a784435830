import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { ActionLog } from '../../logs/action-log.js'
import type { Sessions } from '../../sessions/sessions.js'
import { presentedToken, TOKEN_REQUIRED } from '../bearer-token.js'
import { type Documented, documentGuard } from '../openapi.js'
import { originOf } from '../origin.js'
import { Done, done } from '../schemas.js'

interface Needs {
  sessions: Pick<Sessions, 'end'>
  actions: Pick<ActionLog, 'record'>
}

/** Not behind requireSession: logging out twice, or with an expired token, must succeed. */
export const logout: FastifyPluginAsyncTypebox<Needs> = async (app, { sessions, actions }) => {
  const schema = {
    tags: ['sessions'],
    operationId: 'logout',
    summary: 'End this session',
    description:
      'Ends the session of this token, and never a newer one. Logging out again succeeds and changes ' +
      'nothing. After a 503, assume that the session is still live, and try again.',
    response: { 200: Done('Logged out.') },
  } satisfies Documented

  app.addHook('onRoute', (route) => documentGuard(route, TOKEN_REQUIRED, ['token_missing', 'token_invalid']))
  app.post('/logout', { schema }, async (request) => {
    const { userId } = await sessions.end(presentedToken(request.raw))
    actions.record('logout', originOf(request), { user_id: userId })
    return done()
  })
}
