import { CHECK, END, LOG_IN, type Mutant, PASSWORD_PROOF, REGISTRY, STATEMENTS } from '../mutant.js'

/** Gives R a way to forget, which it lacks on purpose. */
const forget = {
  file: REGISTRY,
  find: 'return { read, join, probe };',
  replace: 'return { read, join, probe, forget: (userId) => call(() => writer.del(keyOf(userId))) };',
}
const commit =
  'const begun = await budget.commit(clock, (deadline, limitMs) => accounts.beginSession({ ...login, deadline }, limitMs));'
const join = 'const joined = await registry.join(userId, { stamp, sessionId }, expiresAt, budget.limit());'

/**
 * Protocols that look correct, but are not. Where a row comes first, random histories alone show
 * the difference. Where no row is named, recovery repairs the damage before a row sees it, or the
 * moment is too short for random clients to hit.
 */
export const protocolMutants: Mutant[] = [
  {
    name: 'login writes Redis first',
    caughtBy: [17, 'PostgreSQL refuses to commit'],
    edits: [
      {
        file: LOG_IN,
        find: commit,
        replace: `const early = Math.max((account.stamp ?? 0) + 1, Date.now());
        const until = Date.now() + ttlSeconds * 1000;
        const joined = await registry.join(userId, { stamp: early, sessionId }, until, budget.limit());
        ${commit.replace('...login', '...login, early')}`,
      },
      { file: LOG_IN, find: join, replace: '' },
      {
        file: STATEMENTS,
        find: 'lastLoginStamp: nextStamp,\n            lastLogin',
        replace: `lastLoginStamp: sql \`\${placeholder('early')}::bigint\`,\n            lastLogin`,
      },
    ],
  },
  {
    name: 'Redis is overwritten, not joined',
    caughtBy: ['a late join'],
    edits: [{ file: REGISTRY, find: 'if heldStamp then\n', replace: 'if false then\n' }],
  },
  {
    name: 'logout is a DEL in Redis and nothing else',
    caughtBy: [17, 'logout'],
    edits: [
      forget,
      {
        file: END,
        find: 'const state = await accounts.findSession(userId);\n        if (!state)\n            return session;',
        replace:
          'await registry.forget(userId);\n        const state = undefined;\n        if (!state)\n            return session;',
      },
    ],
  },
  {
    name: 'logout is a DEL instead of a tombstone',
    caughtBy: [19, 'logout'],
    edits: [
      forget,
      {
        file: END,
        find: 'await joinState(registry, left, state.clock.database, budget.limit());',
        replace: 'await registry.forget(userId);',
      },
    ],
  },
  {
    name: 'no deadline in the statements',
    caughtBy: [14, 'a commit after the answer'],
    edits: [
      {
        file: STATEMENTS,
        find: `sql \`\${nowMs} < \${placeholder('deadline')}::double precision\``,
        replace: `sql \`\${placeholder('deadline')}::double precision is not null\``,
      },
    ],
  },
  {
    name: 'the next stamp is the old one + 1',
    caughtBy: [19, 'the database is restored'],
    edits: [
      {
        file: STATEMENTS,
        find: `sql \`greatest(\${userLogin.lastLoginStamp} + 1, (\${nowMs})::bigint)\``,
        replace: `sql \`coalesce(\${userLogin.lastLoginStamp}, 0) + 1\``,
      },
    ],
  },
  {
    name: '200 before Redis has acknowledged',
    caughtBy: [22, 'a late join'],
    edits: [
      {
        file: LOG_IN,
        find: join,
        replace: `${join.replace('joined = await', "joined = 'held';").slice(0, -1)}.catch(() => undefined);`,
      },
    ],
  },
  {
    name: 'a collision of stamps is ignored',
    caughtBy: ['stamps that Redis knows already'],
    edits: [
      {
        file: LOG_IN,
        find: "if (committed?.joined === 'held')",
        replace: "if (committed?.joined === 'held' || committed?.joined === 'collision')",
      },
    ],
  },
  {
    name: 'a newer entry of a lost login is ignored',
    caughtBy: ['stamps that Redis knows already'],
    edits: [
      {
        file: LOG_IN,
        find: "committed?.joined === 'newer' && account.sessionId !== committed.sessionId",
        replace: "committed?.joined === 'newer'",
      },
    ],
  },
  {
    name: 'no repair of what Redis has lost',
    caughtBy: ['Redis forgets, recovery on'],
    edits: [{ file: CHECK, find: 'repair(session);\n        return', replace: 'return' }],
  },
  {
    name: 'no canary before the commit',
    caughtBy: ['Redis is full'],
    edits: [
      {
        file: PASSWORD_PROOF,
        find: 'proveWritable(account),\n        ]);',
        replace: ']);',
      },
    ],
  },
  {
    name: 'a tombstone loses against a session of equal stamp',
    caughtBy: ['a tombstone at the same stamp'],
    edits: [
      {
        file: REGISTRY,
        find: "if heldSession == '' then return 0 end\n    if session ~= '' then",
        replace: "if heldSession ~= '' and session ~= '' then",
      },
    ],
  },
  {
    name: 'stamps are compared as text alone',
    caughtBy: ['stamps that Redis knows already'],
    edits: [
      {
        file: REGISTRY,
        find: '#heldStamp > #stamp or (#heldStamp == #stamp and heldStamp > stamp)',
        replace: 'heldStamp > stamp',
      },
    ],
  },
  {
    name: 'an entry is kept no longer than its newest token',
    caughtBy: ['how long an entry is kept'],
    edits: [{ file: REGISTRY, find: "if left > redis.call('PTTL', KEYS[1]) then", replace: 'if false then' }],
  },
  {
    name: 'an entry expires before its token',
    caughtBy: ['how long an entry is kept'],
    edits: [
      {
        file: 'stores/session-registry.js',
        find: 'KEPT_AFTER_EXPIRY_MS = 5 * 60_000',
        replace: 'KEPT_AFTER_EXPIRY_MS = -60_000',
      },
    ],
  },
  {
    name: 'the seen stamp is not compared',
    caughtBy: [],
    equivalent:
      'the model finds it unnecessary for safety: the deadline alone keeps late commits out, and stamps increase anyway',
    edits: [
      {
        file: STATEMENTS,
        find: `is not distinct from \${placeholder('seenStamp')}::bigint`,
        replace: `is not distinct from coalesce(\${userLogin.lastLoginStamp}, \${placeholder('seenStamp')}::bigint)`,
      },
    ],
  },
]
