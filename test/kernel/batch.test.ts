import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import test from 'node:test';
import type { CounterReader } from '../../src/kernel/kernel.ts';
import { PinfoldError } from '../../src/model/error.ts';
import type { BatchOperation } from '../../src/model/schema/request.ts';
import { createMap, isAlive, pinById, pinnedMap } from '../support/bpftool.ts';
import { hold } from '../support/hold.ts';
import { asking, benchForFile, failsWith, killNow, openBench, path } from './changes-fixture.ts';

const bench = benchForFile();
const { changes } = bench;
const at = (name: string): string => `${bench.bpffs.path}/${name}`;

function batch(operations: readonly BatchOperation[], context = asking()) {
  return changes.batch(operations, undefined, context);
}

function pin(where: string, id: number, more: object = {}): BatchOperation {
  return { op: 'pin', path: where, source: { kind: 'map', id }, ...more };
}

/** What of the request a refusal says it is about; it says so of something. */
function pointersOf(thrown: unknown): readonly string[] {
  const errors = thrown instanceof PinfoldError ? (thrown.details.errors ?? []) : [];
  assert.notEqual(errors.length, 0, String(thrown));
  return errors.map(({ pointer }) => pointer);
}

/** Everything below a directory, as find(1) lists it. */
function tree(name: string): string {
  return execFileSync('find', ['.', '-printf', '%P %y %m %U:%G %i\n'], { cwd: at(name), encoding: 'utf8' });
}

test('lines are done in order and each sees what the ones before it did', async () => {
  using holder = await hold('map:hash:4:8:16:pf_one:0', 'map:hash:4:8:16:pf_two:0', `pin:0:${at('old')}`);
  const [one = 0, two = 0] = holder.objects.map(({ id }) => id);
  const result = batch([
    { op: 'mkdir', path: 'd' },
    { op: 'rename', path: 'old', to: 'd/kept' },
    pin('old', two, { mode: '0640' }),
    { op: 'attributes', path: 'old', labels: { a: 'b' } },
    { op: 'rename', path: 'old', to: 'd/new' },
    pin('d/extra', one),
    { op: 'unpin', path: 'd/extra' },
    { op: 'mkdir', path: 'gone' },
    { op: 'rmdir', path: 'gone' },
    { op: 'pin', path: 'copy', source: { pin: 'd/new' } },
  ]);
  assert.equal(pinnedMap(at('d/kept')).id, one);
  assert.equal(pinnedMap(at('d/new')).id, two);
  assert.equal(pinnedMap(at('copy')).id, two);
  assert.deepEqual(
    ['old', 'd/extra', 'gone'].filter((name) => existsSync(at(name))),
    [],
  );
  assert.equal(statSync(at('d/new')).mode & 0o777, 0o640);
  assert.equal(result.results?.length, 10);
  assert.deepEqual(result.results?.[4]?.pin?.labels, { a: 'b' });
  assert.equal(result.results?.[4]?.pin?.path, 'd/new');
  assert.equal(new Set(result.results?.map(({ operationId }) => operationId)).size, 1);
  assert.equal(changes.operation(result.operationId ?? '')?.kind, 'batch');
});

test('what cannot be done is found before the first line is', async () => {
  using holder = await hold('map:hash:4:8:16:pf_check:0');
  const id = holder.objects[0]?.id ?? 0;
  const good = pin('checked', id);
  const bad: readonly (readonly [BatchOperation, string])[] = [
    [{ op: 'unpin', path: 'nowhere' }, 'pin_not_found'],
    [pin('a/b', id), 'parent_not_found'],
    [pin('checked/below', id), 'not_a_directory'],
    [{ op: 'rename', path: 'checked', to: 'no/where' }, 'parent_not_found'],
    [{ op: 'unpin', path: 'a.b' }, 'bad_path'],
    [{ op: 'unpin' }, 'invalid_input'],
    [pin('checked', id, { if_none_match: '*' }), 'precondition_failed'],
    [pin('new', id, { if_match: '*' }), 'precondition_failed'],
    [{ op: 'rmdir', path: 'checked' }, 'not_a_directory'],
  ];
  for (const [line, code] of bad) {
    bench.steps.length = 0;
    assert.throws(
      () => batch([good, line]),
      (thrown) => {
        failsWith(code)(thrown);
        for (const told of pointersOf(thrown)) assert.match(told, /^\/body\/operations\/1(\/|$)/);
        return true;
      },
    );
    assert.deepEqual(bench.steps, []);
  }
  assert.equal(existsSync(at('checked')), false);
});

test('a line that fails takes back all lines before it, in reverse', async (t) => {
  using holder = await hold(
    'map:hash:4:8:16:pf_new:0',
    'map:hash:4:8:16:pf_old:0',
    'map:hash:4:8:16:pf_out:0',
  );
  const [fresh = 0, old = 0, out = 0] = holder.objects.map(({ id }) => id);
  mkdirSync(at('w'));
  mkdirSync(at('w/empty'), 0o711);
  pinById('map', old, at('w/replaced'));
  pinById('map', out, at('w/removed'));
  pinById('map', out, at('w/renamed'));
  pinById('map', out, at('w/displaced'));
  const lines: readonly BatchOperation[] = [
    pin('w/made/here', fresh, { parents: true }),
    pin('w/replaced', fresh, { replace: true }),
    { op: 'unpin', path: 'w/removed' },
    { op: 'rename', path: 'w/renamed', to: 'w/displaced', replace: true },
    { op: 'attributes', path: 'w/displaced', mode: '0644' },
    { op: 'mkdir', path: 'w/directory', mode: '0700' },
    { op: 'rmdir', path: 'w/empty' },
  ];
  const before = tree('w');
  for (const step of ['batch.step_done', 'batch.committed', 'batch.displaced_unlinked'] as const) {
    for (let nth = 1; nth <= (step === 'batch.committed' ? 1 : step === 'batch.step_done' ? 7 : 3); nth++) {
      await t.test(`${step} ${nth}`, () => {
        let count = 0;
        bench.onStep = (reached) => {
          if (reached === step && ++count === nth) throw new Error('a defect at this step');
        };
        assert.throws(() => batch(lines), /a defect/);
        assert.equal(count, nth);
        assert.equal(withoutInodes(tree('w')), withoutInodes(before));
      });
    }
  }
  bench.onStep = () => undefined;
  batch(lines);
  assert.deepEqual(readdirSync(at('w')).sort(), ['directory', 'displaced', 'made', 'replaced']);
});

function withoutInodes(listing: string): string {
  return listing
    .split('\n')
    .map((line) => line.replace(/ \d+$/, ''))
    .sort()
    .join('\n');
}

test('hazards are those of the whole: a pin that moves by pin and unpin loses nothing', () => {
  const { id } = createMap(at('from'));
  batch([{ op: 'unpin', path: 'from' }, pin('to', id)]);
  assert.equal(pinnedMap(at('to')).id, id);
  pinById('map', id, at('to2'));
  assert.throws(
    () =>
      batch([
        { op: 'unpin', path: 'to' },
        { op: 'unpin', path: 'to2' },
      ]),
    (thrown) => {
      failsWith('hazard', { hazards: ['last_reference'] })(thrown);
      assert.deepEqual(pointersOf(thrown), ['/body/operations/0', '/body/operations/1']);
      return true;
    },
  );
  assert.equal(pinnedMap(at('to')).id, id);
  const plan = batch(
    [
      { op: 'unpin', path: 'to' },
      { op: 'unpin', path: 'to2' },
    ],
    asking({ dryRun: true }),
  );
  assert.deepEqual(
    plan.plan?.map(({ hazards }) => hazards),
    [['last_reference'], ['last_reference']],
  );
  assert.equal(plan.results?.length, 2);
});

test('a holder that lets go after half of the pins are unlinked gets all of them back', async () => {
  const holder = await hold('map:hash:4:8:16:pf_half:0', `pin:0:${at('h1')}`, `pin:0:${at('h2')}`);
  const id = holder.objects[0]?.id ?? 0;
  let unlinked = 0;
  bench.onStep = (step) => {
    if (step === 'batch.displaced_unlinked' && ++unlinked === 2) killNow(holder.pid);
  };
  assert.throws(
    () =>
      batch([
        { op: 'mkdir', path: 'h0' },
        { op: 'unpin', path: 'h1' },
        { op: 'unpin', path: 'h2' },
      ]),
    (thrown) => {
      failsWith('hazard')(thrown);
      // The first may have been counted and closed before the holder let go.
      assert.equal(pointersOf(thrown).at(-1), '/body/operations/2');
      for (const told of pointersOf(thrown)) assert.notEqual(told, '/body/operations/0');
      return true;
    },
  );
  assert.deepEqual([pinnedMap(at('h1')).id, pinnedMap(at('h2')).id], [id, id]);
  holder[Symbol.dispose]();
});

test('what cannot be taken back is named exactly, and the outcome is unknown', async () => {
  using holder = await hold('map:hash:4:8:16:pf_aside:0', `pin:0:${at('aside')}`, `pin:0:${at('second')}`);
  const foreign = createMap(at('foreign'), { name: 'pf_foreign' });
  let done = 0;
  bench.onStep = (step) => {
    if (step !== 'batch.step_done' || ++done !== 2) return;
    execFileSync('mv', [at('foreign'), at('aside')]);
    throw new Error('a defect at this step');
  };
  const failing = () =>
    batch([
      { op: 'unpin', path: 'aside' },
      { op: 'unpin', path: 'second' },
    ]);
  assert.throws(failing, failsWith('outcome_unknown'));
  assert.equal(pinnedMap(at('aside')).id, foreign.id);
  assert.equal(pinnedMap(at('second')).id, holder.objects[0]?.id);
  const [staged = ''] = readdirSync(at('pinfold-staging'));
  assert.match(
    changes.operation(staged.slice(37, 63))?.detail ?? '',
    new RegExp(`"aside" is kept as pinfold-staging/${staged}`),
  );
  execFileSync('rm', [at(`pinfold-staging/${staged}`)]);
});

test('what fails when a line is carried out says which line it was', async () => {
  using holder = await hold('map:hash:4:8:16:pf_line:0');
  const id = holder.objects[0]?.id ?? 0;
  for (const name of ['line', 'line/full', 'line/full/of']) mkdirSync(at(name));
  const fails = (lines: readonly BatchOperation[], code: string, nth: number) =>
    assert.throws(
      () => batch(lines),
      (thrown) => {
        failsWith(code)(thrown);
        assert.deepEqual(pointersOf(thrown), [`/body/operations/${nth}`]);
        return true;
      },
    );
  const made = pin('line/made', id);
  fails([made, { op: 'rmdir', path: 'line/full' }], 'directory_not_empty', 1);
  bench.onStep = (step) => {
    if (step === 'batch.intent_committed') mkdirSync(at('line/late'), { recursive: true });
  };
  fails([{ op: 'mkdir', path: 'line/first' }, pin('line/late', id), made], 'pin_exists', 1);
  bench.onStep = (step) => {
    if (step === 'batch.committed') execFileSync('mv', [at('line/full'), at('line/moved')]);
  };
  fails([made, pin('line/full/in', id)], 'parent_not_found', 1);
  bench.onStep = () => undefined;
  assert.deepEqual(readdirSync(at('line')).sort(), ['late', 'moved']);
  assert.deepEqual(readdirSync(at('line/moved')), ['of']);
});

test('a directory may be emptied, removed, made again and used in one batch', async () => {
  using holder = await hold('map:hash:4:8:16:pf_again:0');
  const id = holder.objects[0]?.id ?? 0;
  mkdirSync(at('again'));
  pinById('map', id, at('again/m'));
  batch([
    { op: 'unpin', path: 'again/m' },
    { op: 'rmdir', path: 'again' },
    { op: 'mkdir', path: 'again' },
    pin('again/n', id),
  ]);
  assert.deepEqual(readdirSync(at('again')), ['n']);
});

test('a thousand lines are one operation', async () => {
  using holder = await hold('map:hash:4:8:16:pf_many:0');
  const id = holder.objects[0]?.id ?? 0;
  mkdirSync(at('many'));
  const names = Array.from({ length: 1000 }, (_, index) => `many/m${index}`);
  batch(names.map((name) => pin(name, id)));
  assert.equal(readdirSync(at('many')).length, 1000);
  batch(names.map((name) => ({ op: 'unpin', path: name })));
  assert.deepEqual(readdirSync(at('many')), []);
  assert.equal(isAlive('map', id), true);
  assert.equal(path('many'), 'many');
});

test('a thousand objects lose their only pins in one batch, each counted at most four times', async () => {
  let reads = 0;
  const counted = (counters: CounterReader): CounterReader => ({
    unavailable: (kind) => counters.unavailable(kind),
    readAll: (kind) => counters.readAll(kind),
    readOne: (...asked) => {
      reads++;
      return counters.readOne(...asked);
    },
  });
  using agent = openBench({ wrap: (kernel) => ({ ...kernel, counters: counted(kernel.counters) }) });
  const names = Array.from({ length: 1000 }, (_, index) => `m${index}`);
  const maps = names.map(() => 'map:array:4:8:1:pf_distinct:0');
  const pins = names.map((name, index) => `pin:${index}:${agent.bpffs.path}/${name}`);
  using holder = await hold(...maps, ...pins);
  await holder.release();
  const lines = names.map((name): BatchOperation => ({ op: 'unpin', path: name }));
  const context = asking({ accept: new Set(['last_reference']) });
  const startedMs = performance.now();
  agent.changes.batch(lines, undefined, context);
  const tookMs = performance.now() - startedMs;
  assert.ok(tookMs < 20_000, `${tookMs} ms`);
  assert.deepEqual(
    names.filter((name) => existsSync(`${agent.bpffs.path}/${name}`)),
    [],
  );
  assert.ok(reads >= 2 * names.length && reads <= 4 * names.length, `${reads} reads`);
});

test('a refusal tells of three objects and how many more there are, in one sentence', async () => {
  const names = ['a', 'b', 'c', 'd', 'e'].map((letter) => `refused-${letter}`);
  const ids = names.map((name) => createMap(at(name), { name: 'pf_refused' }).id);
  const lines = names.map((name): BatchOperation => ({ op: 'unpin', path: name }));
  const told = (count: number): string => {
    try {
      batch(lines.slice(0, count));
    } catch (error) {
      failsWith('hazard', { hazards: ['last_reference'], id: ids[0] })(error);
      return error instanceof Error ? error.message : '';
    }
    throw new Error('nothing was refused');
  };
  const named = ids.slice(0, 3).map((id) => `hash map ${id} "pf_refused" \\([^()]+\\)`);
  const detail = (rest: string): RegExp =>
    new RegExp(`^Refused unless it is accepted by name: ${named.join(', ')}${rest}\\.$`);
  assert.match(told(3), detail(''));
  assert.match(told(4), detail(' and 1 more object'));
  assert.match(told(5), detail(' and 2 more objects'));
  batch(lines, asking({ force: true }));
});
