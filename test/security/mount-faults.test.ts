import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, constants, mkdirSync, openSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import type { OnStep, StepName } from '../../src/model/step.ts';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { type Bpffs, unmountAll } from '../support/bpffs.ts';
import { pinnedMap } from '../support/bpftool.ts';
import { type Answer, type Ask, type Caller, callerOf } from '../support/caller.ts';
import { disposable } from '../support/disposal.ts';
import { type Holder, hold } from '../support/hold.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';

/** A bpffs two directories deep, so that what it is mounted on can be moved away under it. */
function openStage(): Bpffs & { readonly parent: string } {
  const dir = tempDir('faults');
  const parent = join(dir.path, 'parent');
  const path = join(parent, 'bpffs');
  mkdirSync(path, { recursive: true });
  const release = disposable(() => {
    unmountAll(path);
    dir[Symbol.dispose]();
  });
  mountAt(path);
  return { path, parent, dev: 0, ...release };
}

function mountAt(path: string): void {
  execFileSync('mount', ['-t', 'bpf', 'pf-bpffs', path]);
}

/** Everything the cases share. */
interface Stage extends AsyncDisposable {
  readonly path: string;
  readonly parent: string;
  readonly agent: TestAgent;
  readonly caller: Caller;
  readonly holder: Holder;
  /** Called at each step of the change under way. */
  onStep: OnStep;
}

async function openFaultStage(): Promise<Stage> {
  const bpffs = openStage();
  const holder = await hold('map:array:4:8:1:pf_first:0', 'map:array:4:8:1:pf_second:0');
  const stage = {
    path: bpffs.path,
    parent: bpffs.parent,
    holder,
    onStep: (_step: StepName): void => undefined,
  };
  const agent = await testAgent({ bpffs, onStep: (step) => stage.onStep(step) });
  const caller = callerOf(agent.socket);
  return Object.assign(stage, {
    agent,
    caller,
    [Symbol.asyncDispose]: async () => {
      caller[Symbol.dispose]();
      await agent[Symbol.asyncDispose]();
      holder[Symbol.dispose]();
      bpffs[Symbol.dispose]();
    },
  });
}

function idOf({ holder }: Stage, index: number): number {
  return holder.objects[index]?.id ?? 0;
}

/** A new bpffs: pins `one`, `two` of the first map, `three` of the second, a directory. Map by inode. */
async function setUp(stage: Stage): Promise<ReadonlyMap<string, number>> {
  const { path, holder } = stage;
  unmountAll(path);
  mountAt(path);
  mkdirSync(join(path, 'd'));
  const known = new Map<string, number>();
  for (const [index, name] of [
    [0, 'one'],
    [0, 'two'],
    [1, 'three'],
  ] as const) {
    await holder.tell(`pin:${index}:${join(path, name)}`);
    known.set(String(statSync(join(path, name)).ino), idOf(stage, index));
  }
  const look: Ask = { method: 'DELETE', url: '/v1/pins/two?dry_run=true' };
  await until(
    'the agent to see the new bpffs',
    () => stage.caller.ask(look),
    ({ code }) => code === 'ok',
  );
  return known;
}

/**
 * Names and the maps behind them, and directories, as find(1) and bpftool see them below an open root.
 * bpftool is asked of inodes that were not there before.
 */
function picture(root: string, known: ReadonlyMap<string, number> = new Map()): string {
  const facts = ['-not', '-name', '*.debug', '-printf', '%y %i %P\n'];
  const listing = execFileSync('find', [`${root}/`, '-mindepth', '1', ...facts], { encoding: 'utf8' });
  const lines = listing.split('\n').filter((line) => line !== '' && !line.includes('staging'));
  return lines
    .map((line) => {
      const [type = '', inode = '', path = ''] = line.split(' ');
      return type === 'f'
        ? `${path} = ${known.get(inode) ?? pinnedMap(join(root, path)).id}`
        : `${path} ${type}`;
    })
    .sort()
    .join('\n');
}

/** Keeps a superblock in reach of the judges, whatever becomes of its mounts. */
function openForJudges(path: string): Disposable & { readonly path: string } {
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  return { path: `/proc/${process.pid}/fd/${fd}`, ...disposable(() => closeSync(fd)) };
}

const changes: Readonly<Record<string, (stage: Stage) => Ask>> = {
  pin: (stage) => pinning(stage, 'new/name', 0, { parents: true, mode: '0644', uid: 5 }),
  replace: (stage) => pinning(stage, 'one', 1, { replace: true }),
  unpin: () => ({ method: 'DELETE', url: '/v1/pins/two' }),
  rename: () => ({ method: 'PATCH', url: '/v1/pins/one', body: { path: 'd/moved' } }),
  'rename over': () => ({ method: 'PATCH', url: '/v1/pins/one', body: { path: 'three', replace: true } }),
  attributes: () => ({ method: 'PATCH', url: '/v1/pins/one', body: { mode: '0640', gid: 7 } }),
  batch: (stage) => ({
    method: 'POST',
    url: '/v1/batch',
    body: {
      operations: [
        { op: 'pin', path: 'batched', source: { kind: 'map', id: idOf(stage, 1) } },
        { op: 'pin', path: 'two', source: { kind: 'map', id: idOf(stage, 1) }, replace: true },
        { op: 'unpin', path: 'one' },
      ],
    },
  }),
};

function pinning(stage: Stage, path: string, map: number, more: Readonly<Record<string, unknown>>): Ask {
  return {
    method: 'PUT',
    url: `/v1/pins/${path}`,
    body: { source: { kind: 'map', id: idOf(stage, map) }, ...more },
  };
}

interface Fault {
  /** Codes that a change may end with when it happens in the middle. */
  readonly codes: readonly string[];
  readonly strike: (stage: Stage) => void;
  readonly undo: (stage: Stage) => void;
}

const overMounted = (...options: readonly string[]): Fault => ({
  codes: ['mount_unavailable'],
  strike: ({ path }) => void execFileSync('mount', [...options, path]),
  undo: ({ path }) => void execFileSync('umount', [path]),
});

/** Puts something else in the place of the staging directory; another of its name is then not ours. */
const stagingReplaced = (...make: readonly [string, ...string[]]): Fault => ({
  codes: ['ok'],
  strike: ({ path }) => {
    renameSync(join(path, 'pinfold-staging'), join(path, 'old-staging'));
    execFileSync(make[0], [...make.slice(1), join(path, 'pinfold-staging')]);
  },
  undo: ({ path }) => {
    execFileSync('rm', ['-d', join(path, 'pinfold-staging')]);
    execFileSync('rmdir', [join(path, 'old-staging')]);
  },
});

const faults: Readonly<Record<string, Fault>> = {
  'unmounted lazily': {
    codes: ['mount_unavailable'],
    strike: ({ path }) => void execFileSync('umount', ['-l', path]),
    undo: ({ path }) => mountAt(path),
  },
  'mounted over by another bpffs': overMounted('-t', 'bpf', 'pf-over'),
  'mounted over by a tmpfs': overMounted('-t', 'tmpfs', 'pf-over'),
  'moved away with its mount point': {
    codes: ['mount_unavailable'],
    strike: ({ parent }) => renameSync(parent, `${parent}-away`),
    undo: ({ parent }) => renameSync(`${parent}-away`, parent),
  },
  'remounted read-only': {
    codes: ['read_only', 'outcome_unknown', 'ok'],
    // While an inode without a name is open the kernel refuses (EBUSY), and the change goes on.
    strike: ({ path }) => void spawnSync('mount', ['-o', 'remount,ro', path]),
    undo: ({ path }) => void execFileSync('mount', ['-o', 'remount,rw', path]),
  },
  'given away, and closed to all': {
    codes: ['ok'],
    strike: ({ path }) => void execFileSync('sh', ['-c', 'chown 1000:1000 "$0" && chmod 0000 "$0"', path]),
    undo: ({ path }) => void execFileSync('sh', ['-c', 'chown 0:0 "$0" && chmod 1777 "$0"', path]),
  },
  'robbed of its staging directory': stagingReplaced('mkdir', '-m', '0777'),
  'given a link as staging directory': stagingReplaced('ln', '-s', '/tmp'),
};

/** The steps of a change before it is settled, and what it leads to. */
async function rehearse(
  stage: Stage,
  ask: Ask,
): Promise<{ readonly steps: readonly StepName[]; readonly after: string }> {
  const steps: StepName[] = [];
  await setUp(stage);
  stage.onStep = (step) => void steps.push(step);
  const answer = await stage.caller.ask(ask);
  stage.onStep = () => undefined;
  assert.equal(answer.code, 'ok', JSON.stringify(answer.body));
  return { steps: steps.filter((step) => !step.endsWith('.settled')), after: picture(stage.path) };
}

/** The answer, the journal and what find(1) sees say the same. */
async function assertTruth(
  stage: Stage,
  answer: Answer,
  seen: {
    readonly before: string;
    readonly after: string;
    readonly now: string;
    readonly at: string;
  },
): Promise<void> {
  const { before, after, now, at } = seen;
  const outcome =
    answer.code === 'ok' ? 'applied' : answer.code === 'outcome_unknown' ? 'unknown' : 'not_applied';
  if (outcome === 'applied') assert.equal(now, after, at);
  if (outcome === 'not_applied') assert.equal(now, before, at);
  const id = answer.headers['pinfold-operation'];
  if (id === undefined) return;
  const operation = await stage.caller.ask({ method: 'GET', url: `/v1/operations/${id}` });
  assert.equal(operation.body.outcome, outcome, at);
}

/** Lets a fault happen at the nth step of a change, judges what is told of it; then all must work again. */
async function strike(
  stage: Stage,
  scene: {
    readonly ask: Ask;
    readonly fault: Fault;
    readonly nth: number;
    readonly after: string;
    readonly at: string;
  },
): Promise<string> {
  const { ask, fault, nth, after, at } = scene;
  const known = await setUp(stage);
  const before = picture(stage.path, known);
  const judges = openForJudges(stage.path);
  let passed = 0;
  stage.onStep = () => {
    if (passed++ === nth) fault.strike(stage);
  };
  const answer = await stage.caller.ask(ask);
  stage.onStep = () => undefined;
  assert.ok(passed > nth, `${at} was not reached: ${JSON.stringify(answer.body)}`);
  assert.ok(fault.codes.includes(answer.code), `${at}: ${answer.status} ${JSON.stringify(answer.body)}`);
  fault.undo(stage);
  await assertTruth(stage, answer, { before, after, now: picture(judges.path, known), at });
  judges[Symbol.dispose]();
  const works = pinning(stage, 'afterwards', 0, {});
  await until(
    `work after ${at}`,
    () => stage.caller.ask(works),
    ({ code }) => code === 'ok',
    { timeoutMs: 30_000 },
  );
  assert.deepEqual(stage.agent.running.kernel.fds.transient(), [], at);
  return answer.code;
}

test('whatever happens to the mount in a change, success means that it can be seen', async (t) => {
  await using stage = await openFaultStage();
  let cases = 0;
  for (const [name, change] of Object.entries(changes)) {
    await t.test(name, async () => {
      const ask = change(stage);
      const { steps, after } = await rehearse(stage, ask);
      for (const [what, fault] of Object.entries(faults)) {
        for (const [nth, step] of steps.entries()) {
          await strike(stage, { ask, fault, nth, after, at: `${what} at ${step} (${nth})` });
          cases++;
        }
      }
    });
  }
  process.stdout.write(`${cases} faults in the middle of changes\n`);
  assert.ok(cases >= 200);
});

test('in the middle of a change a plain umount is refused as busy, and right after it works', async () => {
  await using stage = await openFaultStage();
  const { path } = stage;
  const umount = () => spawnSync('umount', [path], { encoding: 'utf8' });
  let cases = 0;
  for (const [name, change] of Object.entries(changes)) {
    const ask = change(stage);
    const { steps, after } = await rehearse(stage, ask);
    for (const [nth, step] of steps.entries()) {
      const at = `${name}, umount at ${step} (${nth})`;
      const known = await setUp(stage);
      const attempts: string[] = [];
      let passed = 0;
      stage.onStep = () => {
        if (passed++ === nth) attempts.push(umount().stderr);
      };
      const answer = await stage.caller.ask(ask);
      stage.onStep = () => undefined;
      assert.equal(answer.code, 'ok', `${at}: ${JSON.stringify(answer.body)}`);
      assert.equal(attempts.length, 1, at);
      assert.match(attempts[0] ?? '', /busy/, at);
      assert.equal(picture(path, known), after, at);
      // A slice of observation may have the root open just now.
      await until(`an umount after ${at}`, umount, ({ status }) => status === 0, { timeoutMs: 30_000 });
      const gone = await stage.caller.ask(ask);
      assert.equal(gone.code, 'mount_unavailable', `${at}: ${JSON.stringify(gone.body)}`);
      mountAt(path);
      cases++;
    }
  }
  assert.ok(cases >= 20, `${cases} cases`);
});

test('what is in reach again is used by the very next change, not only after the next scan', async () => {
  await using stage = await openFaultStage();
  const { caller, path } = stage;
  const isPrimaryGone = async (): Promise<boolean> => {
    const { body } = await caller.ask({ method: 'GET', url: '/v1/mounts' });
    return !body.items.some(
      (mount: { id: string; reachable: boolean }) => mount.id === stage.agent.mount && mount.reachable,
    );
  };
  for (let round = 0; round < 5; round++) {
    execFileSync('mount', ['-t', 'tmpfs', 'pf-over', path]);
    await until('the agent to see that it is mounted over', isPrimaryGone);
    const hidden = await caller.ask(pinning(stage, `hidden${round}`, 0, {}));
    assert.equal(hidden.code, 'mount_unavailable');
    execFileSync('umount', [path]);
    const back = await caller.ask(pinning(stage, `back${round}`, 0, {}));
    assert.equal(back.status, 201, JSON.stringify(back.body));
  }
});
