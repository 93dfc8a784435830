import { type Mutant, STATEMENTS, USERS } from '../mutant.js'

const joined = 'joinState(registry, changed, clock.database, budget.limit()),'

/** What a sibling service does with users, each time without one part. */
export const userMutants: Mutant[] = [
  {
    name: 'disabling a user leaves the session to be enabled again',
    caughtBy: ['provisioning'],
    edits: [
      {
        file: STATEMENTS,
        find: "administer('disable', { ...ended, status: 'disabled' })",
        replace: "administer('disable', { status: 'disabled' })",
      },
    ],
  },
  {
    name: 'setting a password leaves the session alive',
    caughtBy: ['provisioning'],
    edits: [
      {
        file: STATEMENTS,
        find: "administer('set_password', { ...ended, ...newHash })",
        replace: "administer('set_password', newHash)",
      },
    ],
  },
  {
    name: 'a change of a user is not joined into Redis',
    caughtBy: ['provisioning'],
    edits: [{ file: USERS, find: joined, replace: '' }],
  },
  {
    name: 'a change of a user does not wait for Redis',
    caughtBy: ['provisioning while Redis is full'],
    edits: [
      {
        file: USERS,
        find: joined,
        replace: `${joined.replace(/,$/, '')}.catch(() => undefined),`,
      },
    ],
  },
  {
    name: 'no canary before a password is set',
    caughtBy: ['provisioning while Redis is full'],
    edits: [{ file: USERS, find: 'await joinState(registry, found, found.clock.database);', replace: '' }],
  },
]
