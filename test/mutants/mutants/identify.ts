import { BATCH, CHECK, ENTRIES, type Mutant, TOKENS } from '../mutant.js'

const SAY = 'both stores decide'
const compared = 'if (inD !== entry)'
const agreed = 'if (inR === entry)'
const asked = 'judged(token, inD[token.session.userId], inR[index])'

const found = "keys.find(token.slice(0, token.indexOf('.')))"

/** What makes a token acceptable, each time without one condition. */
export const identifyMutants: Mutant[] = [
  {
    name: 'recovery=off accepts what Redis does not hold',
    caughtBy: [SAY],
    edits: [{ file: CHECK, find: "if (recovery === 'off')", replace: 'if (false)' }],
  },
  {
    name: 'the database’s session id is not compared',
    caughtBy: [SAY],
    edits: [
      {
        file: CHECK,
        find: compared,
        replace: "if (parseEntry(inD ?? '')?.stamp !== session.loginTime)",
      },
    ],
  },
  {
    name: 'the database’s stamp is not compared',
    caughtBy: [SAY],
    edits: [
      {
        file: CHECK,
        find: compared,
        replace: "if (parseEntry(inD ?? '')?.sessionId !== session.sessionId)",
      },
    ],
  },
  {
    name: 'Redis’s session id is not compared',
    caughtBy: [SAY],
    edits: [
      {
        file: CHECK,
        find: agreed,
        replace: "if (parseEntry(inR ?? '')?.stamp === session.loginTime)",
      },
    ],
  },
  {
    name: 'Redis’s stamp is not compared',
    caughtBy: [SAY],
    edits: [
      {
        file: CHECK,
        find: agreed,
        replace: "if (parseEntry(inR ?? '')?.sessionId === session.sessionId)",
      },
    ],
  },
  {
    name: 'the status of the user is not checked',
    caughtBy: [SAY],
    edits: [
      {
        file: ENTRIES,
        find: " when 'active'\n",
        replace: ' when status\n',
      },
    ],
  },
  {
    name: 'Redis is not asked',
    caughtBy: [19, SAY],
    edits: [
      {
        file: CHECK,
        find: asked,
        replace: 'judged(token, inD[token.session.userId], token.entry)',
      },
    ],
  },
  {
    name: 'the database is not asked',
    caughtBy: [SAY],
    edits: [
      {
        file: CHECK,
        find: asked,
        replace: 'judged(token, token.entry, inR[index])',
      },
    ],
  },
  {
    name: 'a batch is remembered',
    caughtBy: [17, SAY],
    edits: [{ file: BATCH, find: 'cache: false,', replace: '' }],
  },
  {
    name: 'the rows of a batch are assigned by their order',
    caughtBy: ['many questions at once'],
    edits: [
      {
        file: CHECK,
        find: 'inD[token.session.userId]',
        replace: 'Object.values(inD)[index]',
      },
    ],
  },
  {
    name: 'a moved row counts as missing',
    caughtBy: ['many questions at once', SAY],
    edits: [
      {
        file: ENTRIES,
        find: 'if (missing.length === 0)',
        replace: 'if (ctids.length === userIds.length)',
      },
    ],
  },
  {
    name: 'a token is remembered by its signature',
    caughtBy: ['forged tokens'],
    edits: [{ file: TOKENS, find: 'known?.text === token && ', replace: 'known && ' }],
  },
  {
    name: 'answers are remembered for a second',
    caughtBy: [17, SAY],
    edits: [
      {
        file: CHECK,
        find: 'return check(inspect(token));',
        replace: `const session = inspect(token);
        const remembered = (globalThis.remembered ??= new Map());
        if (remembered.get(token) > Date.now()) return Promise.resolve(session);
        return check(session).then(() => {
            remembered.set(token, Date.now() + 1000);
            return session;
        });`,
      },
    ],
  },
  {
    name: 'verify checks the token alone',
    caughtBy: [SAY],
    edits: [
      {
        file: 'http/routes/verify.js',
        find: 'await sessions.identify(token)',
        replace: 'sessions.inspect(token)',
      },
    ],
  },
  {
    name: 'recovery=database ignores a tombstone',
    caughtBy: ['a tombstone at the same stamp'],
    edits: [
      {
        file: CHECK,
        find: 'if (remembered && remembered.stamp >= session.loginTime) {',
        replace: 'if (remembered?.sessionId && remembered.stamp >= session.loginTime) {',
      },
    ],
  },
  {
    name: 'the signature is not checked',
    caughtBy: ['forged tokens'],
    edits: [
      {
        file: TOKENS,
        find: 'return jwt.verify(token, { key: key.checksWith, algorithms: [key.algorithm], ...terms });',
        replace: `return ${decoded('token')};`,
      },
    ],
  },
  {
    name: 'alg none is accepted',
    caughtBy: ['forged tokens'],
    edits: [
      { file: TOKENS, find: found, replace: `${found} ?? keys.signing()` },
      {
        file: TOKENS,
        find: 'return jwt.verify(token, { key: key.checksWith, algorithms: [key.algorithm], ...terms });',
        replace: `const alg = JSON.parse(Buffer.from(token.split('.')[0], 'base64url')).alg;
            return alg === 'none' ? ${decoded('token')} : jwt.verify(token, { key: key.checksWith, algorithms: [key.algorithm], ...terms });`,
      },
    ],
  },
  {
    name: 'the header is not compared',
    caughtBy: ['forged tokens'],
    edits: [{ file: TOKENS, find: found, replace: `${found} ?? keys.signing()` }],
  },
  {
    name: 'a remembered token outlives its key',
    caughtBy: ['keys that come and go'],
    edits: [{ file: TOKENS, find: ' && keys.holds(known.key)', replace: '' }],
  },
  {
    name: 'the key file is read once',
    caughtBy: ['keys that come and go'],
    edits: [{ file: 'tokens/keys/key-file.js', find: 'keys.replace(ring);', replace: '' }],
  },
  {
    name: 'an expired token is accepted',
    caughtBy: ['forged tokens'],
    edits: [{ file: CHECK, find: 'if (hasExpired(verified.session))', replace: 'if (false)' }],
  },
  {
    name: 'the issuer is not checked',
    caughtBy: ['forged tokens'],
    // The issuer is checked twice. Either check would do.
    edits: [
      { file: TOKENS, find: 'allowedIss: issuer,', replace: '' },
      { file: TOKENS, find: 'claims.iss === issuer && ', replace: '' },
    ],
  },
  {
    name: 'the audience is not checked',
    caughtBy: ['forged tokens'],
    edits: [
      {
        file: TOKENS,
        find: '...(audience === undefined ? {} : { allowedAud: audience }),',
        replace: '',
      },
      { file: TOKENS, find: 'claims.aud === audience && ', replace: '' },
    ],
  },
  {
    name: 'sub is not compared with the user id',
    caughtBy: ['forged tokens'],
    edits: [{ file: TOKENS, find: ' && claims.sub === String(claims.data.id)', replace: '' }],
  },
]

function decoded(token: string): string {
  return `JSON.parse(Buffer.from(${token}.split('.')[1], 'base64url').toString())`
}
