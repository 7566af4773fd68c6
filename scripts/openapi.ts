import { readFileSync, writeFileSync } from 'node:fs';
import type { Agent } from '../src/agent/agent.ts';
import type { Parts } from '../src/api/app.ts';
import { StreamSlots } from '../src/api/ndjson.ts';
import { type Api, createApi } from '../src/api/server.ts';
import { createMetrics } from '../src/metrics/metrics.ts';
import { usualGc } from '../src/model/gc/policy.ts';
import { repoPath } from '../test/support/repo-root.ts';

/** Where the document is kept. */
export const openapiFile: string = repoPath('openapi', 'pinfold.json');

/** The OpenAPI document of the registered routes, as text; nothing of the machine is looked at. */
export async function describeApi(): Promise<string> {
  return await withApi(({ app }) => `${JSON.stringify(app.swagger(), null, 2)}\n`);
}

/** The URL of every route there is, also of those that the document leaves out: `/v1/pins/:path`. */
export async function listUrls(): Promise<readonly string[]> {
  return await withApi(({ app }) => urlsIn(app.printRoutes()));
}

/** Of the tree that the router prints: a line has four characters for each of those it is below. */
function urlsIn(tree: string): readonly string[] {
  const above: string[] = [];
  return tree.split('\n').flatMap((line) => {
    const [, indent = '', piece = '', methods] = /^(.*?[├└]── )([^ ]+)( \(.+\))?$/.exec(line) ?? [];
    above.length = indent.length / 4;
    above[indent.length / 4] = piece;
    return methods === undefined ? [] : [above.join('')];
  });
}

async function withApi<Told>(tell: (api: Api) => Told): Promise<Told> {
  const { version } = JSON.parse(readFileSync(repoPath('package.json'), 'utf8'));
  using metrics = createMetrics({
    numbers: silent.statistics,
    webhooks: { source: { numbers: unused }, now: unused },
    certificates: unused,
    pathOf: unused,
    version,
    pinSeriesMax: 0,
  });
  const api = await createApi({
    parts: {
      agent: silent,
      pinsets: { list: unused, get: unused, diff: unused, trouble: undefined },
      tokens: silent.store.tokens,
      metrics,
      webhooks: silentWebhooks,
      clock: { now: unused, monotonicMs: unused, bootMs: unused },
      log: { error: unused, warn: unused, info: unused, debug: unused },
      idempotency: silent.store.idempotency,
      streams: new StreamSlots(),
      fleet: undefined,
      fleetTokens: undefined,
      backupDir: '',
      openMetrics: false,
      notReady: unused,
    },
    peers: { read: unused, isUnix: unused },
    localRoles: { roleOf: unused },
    fleetRoleMax: 'admin',
    version,
  });
  const told = tell(api);
  await api.app.close();
  return told;
}

function unused(): never {
  throw new Error('the API is only described here, never called');
}

const silentWebhooks: Parts['webhooks'] = {
  list: unused,
  get: unused,
  put: unused,
  remove: unused,
  setState: unused,
  addSecret: unused,
  removeSecret: unused,
  ping: unused,
  repeat: unused,
  replay: unused,
  deliveries: unused,
};

/** An agent that nobody asks anything: routes are described without calling it. */
const silent: Agent = {
  history: { pinAt: unused },
  reads: {
    node: unused,
    mounts: unused,
    refresh: unused,
    pins: unused,
    pin: unused,
    tree: unused,
    objects: unused,
    object: unused,
  },
  entries: { page: unused, dump: unused, entry: unused, count: unused, peek: unused },
  edits: { put: unused, remove: unused, freeze: unused },
  batches: { run: unused },
  creation: { create: unused },
  pinsets: {
    look: unused,
    asides: { hold: unused, letGo: unused, list: unused },
    copies: { advance: unused, abandon: unused, list: unused },
    onStep: unused,
  },
  holders: { holders: unused, why: unused, heldBy: unused, recent: unused, referencesOf: unused },
  findings: {
    ask: unused,
    list: unused,
    rules: unused,
    assertTried: unused,
    objectsOf: unused,
    observedAt: unused,
  },
  programs: { instructions: unused, machineCode: unused, measured: unused },
  types: { types: unused, ofMap: unused },
  specifications: { map: unused, program: unused, list: unused },
  usage: { programs: unused, maps: unused },
  waits: { wait: unused, release: unused },
  hooks: { begin: unused, end: unused, check: unused, keepOnly: unused },
  claims: {
    put: unused,
    get: unused,
    list: unused,
    release: unused,
    claimsOf: unused,
    counts: unused,
  },
  gc: { settings: usualGc, plan: unused, start: unused },
  quarantine: { list: unused, get: unused, looking: unused, restore: unused, discard: unused },
  changes: {
    pin: unused,
    patch: unused,
    unpin: unused,
    makeDirectory: unused,
    removeDirectory: unused,
    batch: unused,
    operation: unused,
  },
  store: {
    identity: '',
    journal: { begin: unused, amend: unused, settle: unused, listOpen: unused, find: unused },
    pins: {
      put: unused,
      markGone: unused,
      listPresent: unused,
      findPresent: unused,
      listNames: unused,
      history: unused,
    },
    objects: {
      put: unused,
      markGone: unused,
      listPresent: unused,
      history: unused,
      markOtherBootsGone: unused,
    },
    specifications: { put: unused, find: unused, listMissing: unused, list: unused, count: unused },
    events: {
      append: unused,
      list: unused,
      listHashed: unused,
      count: unused,
      lastSeq: unused,
      hashAt: unused,
      extent: unused,
      prune: unused,
      pruneToBytes: unused,
    },
    paths: {
      before: unused,
      after: unused,
      find: unused,
      seqAt: unused,
      primaryAt: unused,
      startBefore: unused,
    },
    quarantine: {
      put: unused,
      remove: unused,
      find: unused,
      findAt: unused,
      ofObject: unused,
      list: unused,
      count: unused,
      listDue: unused,
      forgetOtherBoots: unused,
    },
    claims: { list: unused, put: unused, renew: unused, remove: unused },
    pinsets: {
      list: unused,
      find: unused,
      put: unused,
      listMade: unused,
      putMade: unused,
      removeMade: unused,
      listAside: unused,
      putAside: unused,
      removeAside: unused,
      listCopies: unused,
      putCopy: unused,
      removeCopy: unused,
      forgetOtherBoots: unused,
    },
    tokens: { add: unused, list: unused, findBySha256: unused, remove: unused, touch: unused },
    unheld: { recall: unused, update: unused },
    idempotency: { find: unused, put: unused, prune: unused },
    webhooks: {
      put: unused,
      find: unused,
      list: unused,
      remove: unused,
      moveTo: unused,
      record: unused,
      findPending: unused,
      findDelivery: unused,
      deliveries: unused,
    },
    settings: { get: unused, set: unused },
    transaction: unused,
    prune: unused,
    removedEvents: unused,
    backup: unused,
    openCluster: unused,
    close: unused,
  },
  statistics: {
    objectCounts: unused,
    pinCounts: unused,
    referenceCounts: unused,
    unexplainedCounts: unused,
    memoryCounts: unused,
    findingCounts: unused,
    claimCounts: unused,
    selectedPins: unused,
    quarantine: unused,
    history: unused,
    observation: unused,
    openFds: unused,
    specificationPartsDropped: unused,
    onOperation: () => undefined,
    onEvents: () => undefined,
    announce: unused,
  },
  notReady: unused,
};

if (
  process.argv[1]?.endsWith('openapi.js') === true ||
  process.argv[1]?.endsWith('scripts/openapi.ts') === true
) {
  writeFileSync(openapiFile, await describeApi());
}
