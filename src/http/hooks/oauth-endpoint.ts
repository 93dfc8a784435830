import { parse } from 'fast-querystring'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { Refusal } from '../../refusals/refusal.js'
import { formText } from '../body-text.js'
import { asRefusal, type ErrorLog, logUnexpected } from '../error-answers.js'
import { documentOauthErrors } from '../openapi.js'
import { headersOf, STATUS_OF } from '../refusal-answer.js'

interface Needs {
  log: ErrorLog
}

/**
 * Routes in this scope read a form instead of JSON, and refuse in the form of RFC 6749 §5.2: OAuth
 * 2.0 programs do not know the platform's envelope. Register it after the guard, whose refusals it
 * documents.
 */
export const oauthEndpoint = fp<Needs>(async (scope, { log }) => {
  scope.removeContentTypeParser('application/json')
  scope.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'buffer' },
    ({ raw }: FastifyRequest, bytes: Buffer, done) => done(null, parse(formText(raw, bytes))),
  )
  scope.addHook('onRoute', documentOauthErrors)
  scope.setErrorHandler((error: FastifyError | Refusal, request: FastifyRequest, reply: FastifyReply) => {
    const refusal = asRefusal(error)
    logUnexpected(refusal, error, request, log)
    const { slug, message } = refusal
    return reply
      .code(STATUS_OF[slug])
      .headers(headersOf(refusal))
      .send({ error: slug, error_description: message })
  })
})
