import { CHECK, type Mutant, STORE_CALL } from '../mutant.js'

const unavailable = "super('temporarily_unavailable', { reason, retryAfter: 1 });"

/** What callers are told while a store is away, and when, each time with one mistake. */
export const answerMutants: Mutant[] = [
  {
    name: '401 for an outage',
    caughtBy: [2, 'Redis killed'],
    edits: [
      { file: 'refusals/refusal.js', find: unavailable, replace: "super('session_ended', { reason });" },
    ],
  },
  {
    name: '200 for an outage',
    caughtBy: [2, 'Redis killed', 'PostgreSQL killed'],
    edits: [
      {
        file: CHECK,
        find: 'return check(inspect(token));',
        replace: `const session = inspect(token);
            return check(session).catch((error) => {
                if (error.slug === 'temporarily_unavailable')
                    return session;
                throw error;
            });`,
      },
    ],
  },
  {
    name: 'no Retry-After on a 503',
    caughtBy: ['Redis killed'],
    edits: [{ file: 'refusals/refusal.js', find: ', retryAfter: 1 }', replace: ' }' }],
  },
  {
    name: 'the identity of the user on a 401',
    caughtBy: ['both stores decide'],
    edits: [
      {
        file: 'http/hooks/require-session.js',
        find: "scope.addHook('preHandler', (request, _reply, done) => {",
        replace: `scope.addHook('preHandler', (request, reply, done) => {
        reply.header('x-user-id', '1');`,
      },
    ],
  },
  {
    name: 'no time limit on calls to the stores',
    slow: true,
    caughtBy: [3, 'Redis hangs', 'PostgreSQL hangs'],
    edits: [{ file: STORE_CALL, find: 'await withinLimit(work(), limitMs)', replace: 'await work()' }],
  },
  {
    name: 'a time limit of a second',
    slow: true,
    caughtBy: ['Redis hangs', 'PostgreSQL hangs'],
    edits: [{ file: STORE_CALL, find: 'STORE_LIMIT_MS = 250', replace: 'STORE_LIMIT_MS = 1000' }],
  },
  {
    name: 'a connection that hangs is kept',
    caughtBy: ['dead connections'],
    edits: [
      {
        file: 'stores/postgres/postgres.js',
        find: 'silenceMs: DEAD_AFTER_MS, lifetimeMs',
        replace: 'lifetimeMs',
      },
    ],
  },
]
