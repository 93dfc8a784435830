import type { Mutant } from '../mutant.js'

const CLIENTS = 'service-clients/service-clients.js'

/** What service clients are told, and which of them, each time with one mistake. */
export const gatewayMutants: Mutant[] = [
  {
    name: 'an outage makes a token inactive',
    caughtBy: [2, 'gateways during an outage'],
    edits: [
      {
        file: 'http/routes/introspect.js',
        find: 'if (!(error instanceof Refusal) || !isAboutToken(error.slug))',
        replace: 'if (!(error instanceof Refusal))',
      },
    ],
  },
  {
    name: 'a failed revocation is answered 200',
    caughtBy: ['gateways during an outage'],
    edits: [
      {
        file: 'http/routes/revoke.js',
        find: "if (!(error instanceof Refusal) || error.slug !== 'token_invalid')",
        replace: 'if (!(error instanceof Refusal))',
      },
    ],
  },
  {
    name: 'introspection checks the token alone',
    caughtBy: [10, 'gateways'],
    edits: [
      {
        file: 'http/routes/introspect.js',
        find: 'await sessions.identify(token).catch(asAbsent)',
        replace: 'await Promise.resolve(token).then(sessions.inspect).catch(asAbsent)',
      },
    ],
  },
  {
    name: 'any secret authenticates a service client',
    caughtBy: ['gateways'],
    edits: [
      {
        file: CLIENTS,
        find: 'return timingSafeEqual(digest, expected) ? client : undefined;',
        replace: 'timingSafeEqual(digest, expected);\n        return client;',
      },
    ],
  },
  {
    name: 'permissions of service clients are not checked',
    caughtBy: ['gateways'],
    edits: [
      {
        file: 'http/hooks/require-client.js',
        find: 'if (client.permissions.includes(permission))',
        replace: 'if (client.permissions.length > 0)',
      },
    ],
  },
  {
    name: 'a removed service client is never noticed',
    caughtBy: ['gateways'],
    edits: [
      { file: CLIENTS, find: 'if (age() > READ_AGAIN_AFTER_MS)', replace: 'if (age() > 1e9)' },
      { file: CLIENTS, find: 'if (age() > TRUSTED_FOR_MS)', replace: 'if (age() > 1e9)' },
    ],
  },
  {
    name: 'a recalled service client has every permission',
    caughtBy: ['gateways'],
    edits: [
      {
        file: 'http/hooks/require-client.js',
        find: 'if (recalled?.permissions.includes(permission))',
        replace: 'if (recalled)',
      },
    ],
  },
  {
    name: 'recognised credentials survive a reading of the service clients',
    caughtBy: ['gateways'],
    edits: [{ file: CLIENTS, find: 'recognised.clear();', replace: '' }],
  },
  {
    name: 'a service client is recalled however old the list is',
    caughtBy: ['gateways'],
    edits: [
      { file: CLIENTS, find: 'age() > READ_AGAIN_AFTER_MS ? undefined : recognised', replace: 'recognised' },
    ],
  },
]
