/** Which folders of src a folder may import; itself always. `types` may be imported for types alone. */
export interface FolderRule {
  readonly may: readonly string[];
  readonly types?: readonly string[];
}

/**
 * Who may import whom in src. There is no list of exceptions: where a lower folder's ability is needed higher
 * up, `model` declares the interface, the folder that can implements it, and `main.ts` hands it over.
 */
export const folderRules: Readonly<Record<string, FolderRule>> = {
  model: { may: [] },
  kernel: { may: ['model'] },
  store: { may: ['model'] },
  metrics: { may: ['model'] },
  client: { may: [] },
  agent: { may: ['model', 'kernel', 'store'] },
  cluster: { may: ['model', 'agent', 'client'] },
  api: { may: ['model', 'agent', 'cluster', 'metrics'] },
  cli: { may: ['client'], types: ['model'] },
  'main.ts': {
    may: ['model', 'kernel', 'store', 'metrics', 'client', 'agent', 'cluster', 'api', 'cli'],
  },
};

/**
 * Where each npm package may be imported, as path prefixes; one that is not named may be imported nowhere.
 */
export const packageRules: readonly (readonly [RegExp, readonly string[]])[] = [
  [/^koffi$/, ['src/kernel/sys/']],
  [/^better-sqlite3$/, ['src/store/']],
  [/^(fastify|@fastify\/.+)$/, ['src/api/']],
  [/^typebox(\/.+)?$/, ['src/model/', 'src/api/']],
  [/^prom-client$/, ['src/metrics/']],
  [/^(undici|openapi-fetch)$/, ['src/client/']],
  [/^(commander|@bomb\.sh\/tab.*)$/, ['src/cli/']],
  [/^yaml$/, ['src/cli/', 'src/main.ts']],
  [/^close-with-grace$/, ['src/main.ts']],
];

/** What comes with Node and is refused: everywhere in src, or everywhere but in some places. */
export const builtinRules: readonly (readonly [RegExp, readonly string[]])[] = [
  [/^node:child_process$/, []],
  [/^node:cluster$/, []],
  [/^node:sqlite$/, []],
  [/^node:vm$/, []],
];
