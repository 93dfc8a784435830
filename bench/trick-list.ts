import type { Edit } from '../test/mutants/plant.js'

export interface Trick {
  name: string
  /** The figure that it should improve. */
  figure: 'identify' | 'introspect' | 'flood' | 'memory' | 'million' | 'start'
  /** Edits that remove it from the built code. The bundle is removed by running the files. */
  edits: Edit[]
}

/** docs/performance.md says what each of them is. */
export const TRICKS: Trick[] = [
  {
    name: 'a TickObject is pinned',
    figure: 'identify',
    edits: [{ file: 'v8.js', find: '    pinTick();', replace: '' }],
  },
  {
    name: 'service clients are recalled',
    figure: 'introspect',
    edits: [
      {
        file: 'http/hooks/require-client.js',
        find: 'serviceClients.recall(authorizationOf(request))',
        replace: 'undefined',
      },
    ],
  },
  {
    name: 'hashing gives way',
    figure: 'flood',
    edits: [
      {
        file: 'passwords/password-worker.js',
        find: 'Date.now = clockThatGivesWay(workerData);',
        replace: '',
      },
    ],
  },
  {
    name: 'the heap grows by its size at most',
    figure: 'memory',
    edits: [{ file: 'v8.js', find: 'HEAP_GROWTH_PERCENT = 100', replace: 'HEAP_GROWTH_PERCENT = 0' }],
  },
  {
    name: 'rows are looked for at their ctid',
    figure: 'million',
    edits: [
      {
        file: 'stores/postgres/entries.js',
        find: 'ctids.length === userIds.length ?',
        replace: 'ctids.length < 0 ?',
      },
    ],
  },
  { name: 'the command line is one file', figure: 'start', edits: [] },
]
