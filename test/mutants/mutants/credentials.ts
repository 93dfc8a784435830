import { END, LOG_IN, type Mutant, PASSWORD_CHANGE, PASSWORD_LENGTH, STATEMENTS } from '../mutant.js'

const isCurrent = 'const ended = isCurrent(state, session)\n'
const ends = "update('end_session', ended, and(sameUser, sameSession, beforeDeadline))"

/** Login, logout and change of password, each time without one condition. */
export const credentialMutants: Mutant[] = [
  {
    name: 'logout ends whatever session the user has',
    caughtBy: ['logout'],
    edits: [
      { file: END, find: isCurrent, replace: 'const ended = true\n' },
      { file: STATEMENTS, find: ends, replace: ends.replace('sameSession, ', '') },
    ],
  },
  {
    name: 'the statement of a logout does not name the session',
    caughtBy: ['changed meanwhile'],
    edits: [{ file: STATEMENTS, find: ends, replace: ends.replace('sameSession, ', '') }],
  },
  {
    name: 'the statement of a login does not compare the hash',
    caughtBy: ['changed meanwhile'],
    edits: [
      { file: STATEMENTS, find: 'sameUser, sameHash, isActive, sql', replace: 'sameUser, isActive, sql' },
    ],
  },
  {
    name: 'the statement of a login does not compare the status',
    caughtBy: ['changed meanwhile'],
    edits: [
      { file: STATEMENTS, find: 'sameUser, sameHash, isActive, sql', replace: 'sameUser, sameHash, sql' },
    ],
  },
  {
    name: 'every password is right',
    caughtBy: ['credentials'],
    edits: [
      {
        file: 'passwords/password-worker.js',
        find: 'const matches = compareSync(password, stored);',
        replace: 'const matches = true;',
      },
    ],
  },
  {
    name: 'a disabled user may log in',
    caughtBy: ['credentials'],
    edits: [
      { file: LOG_IN, find: "return status === 'active'", replace: 'return true' },
      { file: STATEMENTS, find: 'sameUser, sameHash, isActive, sql', replace: 'sameUser, sameHash, sql' },
    ],
  },
  {
    name: 'a password ends at its NUL',
    caughtBy: ['credentials'],
    edits: [{ file: PASSWORD_LENGTH, find: "if (password.includes('\\0'))", replace: 'if (false)' }],
  },
  {
    name: 'a password ends after 72 bytes',
    caughtBy: ['credentials'],
    edits: [
      {
        file: PASSWORD_LENGTH,
        find: 'if (Buffer.byteLength(password) > MAX_PASSWORD_BYTES)',
        replace: 'if (false)',
      },
    ],
  },
  {
    name: 'a change of password needs no current password',
    caughtBy: ['password change'],
    edits: [{ file: PASSWORD_CHANGE, find: 'if (!account || !proved)', replace: 'if (!account)' }],
  },
  {
    name: 'a change of password leaves the session alive',
    caughtBy: ['password change'],
    edits: [
      {
        file: STATEMENTS,
        find: "'change_password', { ...ended, ...newHash }",
        replace: "'change_password', { ...newHash }",
      },
    ],
  },
]
