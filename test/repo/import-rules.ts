/**
 * Who may import whom in src, beside its own folder. There is no list of exceptions: where a lower folder's
 * ability is needed higher up, `model` declares the interface, the folder that can implements it, and
 * `main.ts` or `start` hands it over.
 */
export const folderRules: Readonly<Record<string, readonly string[]>> = {
  model: [],
  kernel: ['model'],
  store: ['model'],
  metrics: ['model'],
  client: [],
  agent: ['model', 'kernel', 'store'],
  cluster: ['model', 'agent', 'client'],
  api: ['model', 'agent', 'cluster', 'metrics'],
  cli: ['model', 'client'],
  start: ['model', 'kernel', 'store', 'metrics', 'agent', 'cluster', 'api'],
  'main.ts': ['model', 'agent', 'cluster', 'cli', 'start'],
};

/**
 * Where each npm package may be imported, as path prefixes; one that is not named may be imported nowhere.
 */
export const packageRules: readonly (readonly [RegExp, readonly string[]])[] = [
  [/^koffi$/, ['src/kernel/sys/']],
  [/^better-sqlite3$/, ['src/store/']],
  [/^(fastify|@fastify\/.+)$/, ['src/api/']],
  [/^typebox(\/.+)?$/, ['src/model/', 'src/store/', 'src/agent/', 'src/api/']],
  [/^etcd3$/, ['src/cluster/etcd/']],
  [/^(@peculiar\/x509|reflect-metadata)$/, ['src/cluster/pki/']],
  [/^prom-client$/, ['src/metrics/']],
  [/^undici$/, ['src/client/', 'src/agent/webhook/']],
  [/^openapi-fetch$/, ['src/client/']],
  [/^(commander|@bomb\.sh\/tab.*)$/, ['src/cli/']],
  [/^yaml$/, ['src/cli/', 'src/start/']],
  [/^close-with-grace$/, ['src/start/']],
];

/**
 * What comes with Node and src may not use: it starts no programs, and has one way to SQLite and to threads.
 */
export const refusedBuiltins: readonly string[] = ['child_process', 'cluster', 'sqlite', 'vm'];
