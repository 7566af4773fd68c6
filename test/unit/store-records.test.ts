import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import test from 'node:test';
import fc from 'fast-check';
import { limits } from '../../src/model/limits.ts';
import type { ObjectRecord, PinRecord, Store } from '../../src/model/store.ts';
import { forFile } from '../support/disposal.ts';
import { processorMs } from '../support/processor-time.ts';
import { testSeed } from '../support/seed.ts';
import {
  databaseOf,
  intentOf,
  openTestStore,
  pinOf,
  sqlite3,
  sqlite3Rows,
  testClock,
} from '../support/store.ts';
import { tempDir } from '../support/temp-dir.ts';

const seed = testSeed();
const dir = forFile(tempDir('store-records'));
const clock = testClock();
const store: Store = openTestStore(dir.path, { clock });
forFile({ [Symbol.dispose]: () => store.close() });
const ask = (sql: string): string => sqlite3(databaseOf(dir.path), sql);

test('an intent is in the file before begin returns, and settled after settle returns', () => {
  const intent = intentOf('op-1', {
    accepted: ['last_reference'],
    requestId: 'r-1',
    plan: { steps: [1, 'é'] },
  });
  store.journal.begin(intent);
  assert.equal(ask(`SELECT outcome, plan FROM operation WHERE id = 'op-1'`), 'running|{"steps":[1,"é"]}');
  assert.deepEqual(store.journal.listOpen(), [intent]);
  store.journal.amend('op-1', null);
  assert.deepEqual(store.journal.listOpen(), [{ ...intent, plan: null }]);
  store.journal.settle('op-1', 'unknown', '2026-11-23T10:00:01.000Z', 'the mount went away');
  assert.equal(ask(`SELECT outcome, plan IS NULL FROM operation WHERE id = 'op-1'`), 'unknown|1');
  assert.deepEqual(store.journal.listOpen(), []);
  assert.deepEqual(store.journal.find('op-1'), {
    id: 'op-1',
    kind: 'pin',
    outcome: 'unknown',
    started_at: intent.startedAt,
    settled_at: '2026-11-23T10:00:01.000Z',
    actor: intent.actor,
    request_id: 'r-1',
    subject: intent.subject,
    accepted: ['last_reference'],
    detail: 'the mount went away',
  });
  assert.equal(store.journal.find('no-such'), undefined);
});

test('open intents are listed in the order they began, whatever the clock said', () => {
  const begun = ['op-z', 'op-a', 'op-m'].map((id, index) =>
    intentOf(id, { startedAt: `202${9 - index}-01-01T00:00:00.000Z` }),
  );
  for (const intent of begun) store.journal.begin(intent);
  assert.deepEqual(store.journal.listOpen(), begun);
  for (const { operationId } of begun)
    store.journal.settle(operationId, 'applied', '2026-11-23T10:00:01.000Z', null);
});

test('settling twice, amending what is settled and beginning twice are mistakes of the program', () => {
  store.journal.begin(intentOf('op-2'));
  assert.throws(() => store.journal.begin(intentOf('op-2')), { code: 'SQLITE_CONSTRAINT_UNIQUE' });
  store.journal.settle('op-2', 'applied', '2026-11-23T10:00:01.000Z', null);
  assert.throws(() => store.journal.settle('op-2', 'applied', '2026-11-23T10:00:01.000Z', null), {
    name: 'AssertionError',
  });
  assert.throws(() => store.journal.amend('op-2', {}), { name: 'AssertionError' });
});

test('a transaction that throws leaves nothing; a nested one that throws leaves the outer its own', () => {
  assert.throws(
    () =>
      store.transaction(() => {
        store.settings.set('outer', '1');
        throw new Error('stop');
      }),
    /stop/,
  );
  assert.equal(store.settings.get('outer'), undefined);
  store.transaction(() => {
    store.settings.set('outer', '2');
    assert.throws(() =>
      store.transaction(() => {
        store.settings.set('inner', '1');
        throw new Error('stop');
      }),
    );
    store.settings.set('after', '3');
  });
  assert.equal(ask('SELECT name, value FROM setting ORDER BY name'), 'after|3\nouter|2');
});

/** The contract of pin records, in the plainest words: an array. */
class PinModel {
  rows: PinRecord[] = [];

  put(records: readonly PinRecord[]): void {
    for (const record of records) {
      const isSame = (row: PinRecord): boolean =>
        row.instance === record.instance &&
        row.path === record.path &&
        row.inode === record.inode &&
        row.mtimeNs === record.mtimeNs;
      const isOther = (row: PinRecord): boolean =>
        row.instance === record.instance && row.path === record.path && row.goneAt === null && !isSame(row);
      const known = this.rows.some(isSame);
      this.rows = this.rows.map((row) => {
        if (isSame(row)) return { ...record, firstSeen: row.firstSeen, goneAt: null };
        return isOther(row) ? { ...row, goneAt: record.lastSeen } : row;
      });
      if (!known) this.rows.push({ ...record, goneAt: null });
    }
  }

  markGone(pins: readonly { instance: string; path: string }[], at: string): void {
    const isMeant = (row: PinRecord): boolean =>
      pins.some((pin) => pin.instance === row.instance && pin.path === row.path) && row.goneAt === null;
    this.rows = this.rows.map((row) => (isMeant(row) ? { ...row, goneAt: at } : row));
  }
}

const arbitraryTime = fc.integer({ min: 0, max: 10 ** 9 }).map((ms) => new Date(1.79e12 + ms).toISOString());
const arbitraryPath = fc.constantFrom('a', 'a/b', 'ab', '\xff\xfe\n', 'caf\xc3\xa9', '%_\'"');
const arbitraryPin: fc.Arbitrary<PinRecord> = fc.record({
  instance: fc.constantFrom('i1', 'i2'),
  inode: fc.integer({ min: 1, max: 3 }),
  mtimeNs: fc.constantFrom('1795428000000000001', '18446744073709551615'),
  mount: fc.constant('0:39'),
  path: arbitraryPath,
  kind: fc.constantFrom('map', 'program', 'link'),
  objectId: fc.option(fc.integer({ min: 1, max: 2 ** 32 - 1 })),
  fingerprint: fc.option(fc.string()),
  mode: fc.constantFrom('0600', '0644'),
  uid: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  gid: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  firstSeen: arbitraryTime,
  lastSeen: arbitraryTime,
  goneAt: fc.constant(null),
  labels: fc.dictionary(fc.string({ minLength: 1, unit: 'binary' }), fc.string({ unit: 'grapheme' }), {
    noNullPrototype: true,
  }),
  owner: fc.option(fc.string()),
  managed: fc.boolean(),
});
type PinStep =
  | { readonly put: PinRecord[] }
  | { readonly gone: { instance: string; path: string }[]; readonly at: string };
const arbitraryPinSteps: fc.Arbitrary<PinStep[]> = fc.array(
  fc.oneof(
    fc.record({ put: fc.array(arbitraryPin, { maxLength: 4 }) }),
    fc.record({
      gone: fc.array(fc.record({ instance: fc.constantFrom('i1', 'i2'), path: arbitraryPath })),
      at: arbitraryTime,
    }),
  ),
  { maxLength: 12 },
);
const keyOf = (row: PinRecord): string => `${row.instance} ${row.path} ${row.inode} ${row.mtimeNs}`;
const sorted = (rows: readonly PinRecord[]): PinRecord[] =>
  [...rows].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));

test('pin records do what an array of rows would do', () => {
  fc.assert(
    fc.property(arbitraryPinSteps, (steps) => {
      const fresh = tempDir('store-pins');
      const subject = openTestStore(fresh.path);
      try {
        const model = new PinModel();
        for (const step of steps) {
          const target = [model, subject.pins];
          for (const each of target) 'put' in step ? each.put(step.put) : each.markGone(step.gone, step.at);
        }
        const present = model.rows.filter((row) => row.goneAt === null);
        assert.deepEqual(sorted(subject.pins.listPresent()), sorted(present));
        assert.deepEqual(
          sorted(subject.pins.listPresent('i1')),
          sorted(present.filter((row) => row.instance === 'i1')),
        );
        const inOrder = [...model.rows].reverse();
        for (const path of new Set(model.rows.map((row) => row.path))) {
          const incarnations = inOrder.filter((row) => row.path === path);
          const expected = [
            ...incarnations.filter((row) => row.goneAt === null),
            ...incarnations.filter((row) => row.goneAt !== null),
          ];
          assert.deepEqual(subject.pins.history('0:39', path, 100), expected);
          assert.deepEqual(subject.pins.history('0:39', path, 1), expected.slice(0, 1));
          assert.deepEqual(subject.pins.history('0:40', path, 1), []);
        }
      } finally {
        subject.close();
        fresh[Symbol.dispose]();
      }
    }),
    { seed, numRuns: 150 },
  );
});

test('a hard link is a second record of one identity, and renaming there and back revives the first', () => {
  const first = pinOf({ path: 'hard/a', inode: 7 });
  const link = pinOf({ path: 'hard/b', inode: 7 });
  store.pins.put([first, link]);
  store.pins.markGone([{ instance: first.instance, path: first.path }], '2026-11-23T11:00:00.000Z');
  assert.deepEqual(store.pins.history('0:39', 'hard/a', 9), [
    { ...first, goneAt: '2026-11-23T11:00:00.000Z' },
  ]);
  assert.deepEqual(store.pins.history('0:39', 'hard/b', 9), [link]);
  store.pins.put([{ ...first, firstSeen: '2030-01-01T00:00:00.000Z' }]);
  assert.deepEqual(store.pins.history('0:39', 'hard/a', 9), [first]);
  assert.equal(ask(`SELECT count(*), count(DISTINCT inode) FROM pin WHERE inode = 7`), '2|1');
});

const objectOf = (fields: Partial<ObjectRecord>): ObjectRecord => ({
  bootId: 'boot-1',
  kind: 'btf',
  id: 5,
  fingerprint: 'f1',
  info: { kind: 'btf', id: 5, type: 'user', name: '', btf_size: 64 },
  firstSeen: '2026-11-23T10:00:00.000Z',
  lastSeen: '2026-11-23T10:00:00.000Z',
  goneAt: null,
  ...fields,
});

test('an id that comes back with another fingerprint is another object, in any boot', () => {
  const first = objectOf({});
  const second = objectOf({ fingerprint: 'f2', lastSeen: '2026-11-23T10:05:00.000Z' });
  const elsewhere = objectOf({ bootId: 'boot-2' });
  store.objects.put([first]);
  store.objects.put([second, elsewhere]);
  assert.deepEqual(store.objects.listPresent('boot-1'), [second]);
  assert.deepEqual(store.objects.history('btf', 5, 9), [
    elsewhere,
    second,
    { ...first, goneAt: second.lastSeen },
  ]);
  store.objects.markGone([second], '2026-11-23T10:06:00.000Z');
  assert.deepEqual(store.objects.listPresent('boot-1'), []);
  assert.equal(store.objects.markOtherBootsGone('boot-1', '2026-11-23T10:07:00.000Z'), 1);
  assert.equal(
    ask(`SELECT group_concat(gone_at, ' ') FROM (SELECT gone_at FROM object WHERE id = 5 ORDER BY gone_at)`),
    '2026-11-23T10:05:00.000Z 2026-11-23T10:06:00.000Z 2026-11-23T10:07:00.000Z',
  );
  assert.deepEqual(store.objects.history('program', 5, 9), []);
});

test('object records put, ended and put again agree with sqlite3, row by row', () => {
  const arbitraryStep = fc.record({
    verb: fc.constantFrom('put', 'put', 'gone'),
    kind: fc.constantFrom('map' as const, 'link' as const),
    id: fc.integer({ min: 1, max: 3 }),
    fingerprint: fc.constantFrom('x', 'y'),
  });
  fc.assert(
    fc.property(fc.array(arbitraryStep, { maxLength: 25 }), (steps) => {
      const bootId = randomUUID();
      const present = new Map<string, string>();
      const ever = new Set<string>();
      for (const { verb, kind, id, fingerprint } of steps) {
        const key = `${id} ${kind}`;
        const info = { ...objectOf({}).info, kind } as ObjectRecord['info'];
        const record = objectOf({ bootId, id, fingerprint, kind, info });
        if (verb === 'put') {
          store.objects.put([record]);
          present.set(key, fingerprint);
          ever.add(`${key} ${fingerprint}`);
        } else {
          store.objects.markGone([record], '2026-11-23T12:00:00.000Z');
          if (present.get(key) === fingerprint) present.delete(key);
        }
      }
      const expected = [...present].map(([key, fingerprint]) => `${key} ${fingerprint}`).sort();
      const listed = store.objects
        .listPresent(bootId)
        .map((row) => `${row.id} ${row.kind} ${row.fingerprint}`);
      assert.deepEqual(listed.sort(), expected);
      assert.equal(ask(`SELECT count(*) FROM object WHERE boot_id = '${bootId}'`), String(ever.size));
    }),
    { seed, numRuns: 25 },
  );
});

test('ten thousand pins are written in one transaction, in three seconds of processor time', () => {
  const many = Array.from({ length: 10_000 }, (_, index) =>
    pinOf({ instance: 'bulk', path: `bulk/${index}`, inode: 1000 + index }),
  );
  const before = processorMs();
  store.pins.put(many);
  const elapsed = processorMs() - before;
  assert.ok(elapsed < 3000, `${elapsed} ms`);
  assert.equal(store.pins.listPresent('bulk').length, 10_000);
  assert.equal(ask(`SELECT count(*) FROM pin WHERE instance = 'bulk'`), '10000');
});

const tokenOf = (name: string, byte: number) => ({
  name,
  role: 'reader' as const,
  sha256: new Uint8Array(32).fill(byte),
  createdAt: '2026-11-23T10:00:00.000Z',
  expiresAt: null,
  lastUsedAt: null,
  createdBy: 'admin',
});

test('tokens are added once, found by the hash of their secret, touched and removed', () => {
  store.tokens.add(tokenOf('t1', 1));
  assert.throws(() => store.tokens.add(tokenOf('t1', 2)), { code: 'already_exists' });
  assert.throws(() => store.tokens.add(tokenOf('t2', 1)), { code: 'already_exists' });
  store.tokens.touch('t1', '2026-11-23T10:01:00.000Z');
  const found = store.tokens.findBySha256(new Uint8Array(32).fill(1));
  assert.equal(found?.name, 't1');
  assert.equal(found.lastUsedAt, '2026-11-23T10:01:00.000Z');
  assert.deepEqual(new Uint8Array(found.sha256), new Uint8Array(32).fill(1));
  assert.equal(store.tokens.findBySha256(new Uint8Array(32).fill(9)), undefined);
  assert.deepEqual(
    store.tokens.list().map(({ name }) => name),
    ['t1'],
  );
  store.tokens.remove('t1');
  assert.throws(() => store.tokens.remove('t1'), { code: 'token_not_found' });
  assert.equal(ask('SELECT count(*) FROM token'), '0');
});

test('there are as many tokens as the limit says and not one more', () => {
  const hash = (index: number): Uint8Array =>
    new Uint8Array(32).map((_, at) => (at === 0 ? index >> 8 : index & 255));
  for (let index = 0; index < limits.tokensMax; index++)
    store.tokens.add({ ...tokenOf(`n${index}`, 0), sha256: hash(index) });
  assert.throws(() => store.tokens.add({ ...tokenOf('more', 0), sha256: hash(limits.tokensMax) }), {
    code: 'too_many_requests',
  });
  assert.equal(ask('SELECT count(*) FROM token'), String(limits.tokensMax));
});

test('an answer to an idempotency key is kept for 24 hours and no longer', () => {
  const record = {
    caller: 'api:ci',
    key: 'k1',
    requestHash: Buffer.from('hash'),
    status: 201,
    headers: { location: '/v1/pins/a' },
    body: '{"é":1}',
    createdAt: '2026-11-23T10:00:00.000Z',
  };
  store.idempotency.put(record);
  assert.deepEqual(store.idempotency.find('api:ci', 'k1'), record);
  assert.equal(store.idempotency.find('api:other', 'k1'), undefined);
  clock.set('2026-11-24T10:00:00.000Z');
  assert.deepEqual(store.idempotency.find('api:ci', 'k1'), record);
  clock.set('2026-11-24T10:00:00.001Z');
  assert.equal(store.idempotency.find('api:ci', 'k1'), undefined);
  store.idempotency.put({ ...record, status: 200, createdAt: '2026-11-24T10:00:00.001Z' });
  assert.equal(store.idempotency.find('api:ci', 'k1')?.status, 200);
  store.idempotency.prune('2026-11-25T00:00:00.000Z');
  assert.equal(ask('SELECT count(*) FROM idempotency'), '0');
});

test('a JSON text that somebody has damaged is storage_failed, not a crash', () => {
  const hurt = tempDir('store-hurt');
  const subject = openTestStore(hurt.path);
  try {
    subject.pins.put([pinOf()]);
    subject.objects.put([objectOf({})]);
    subject.journal.begin(intentOf('op'));
    sqlite3(
      databaseOf(hurt.path),
      `UPDATE pin SET labels = '{'; UPDATE object SET info = '{"kind":"link"}';
      UPDATE operation SET accepted = '[1]'`,
    );
    assert.throws(() => subject.pins.listPresent(), { code: 'storage_failed' });
    assert.throws(() => subject.objects.listPresent('boot-1'), { code: 'storage_failed' });
    assert.throws(() => subject.journal.listOpen(), { code: 'storage_failed' });
    assert.equal(sqlite3Rows(databaseOf(hurt.path), 'SELECT labels FROM pin')[0]?.['labels'], '{');
  } finally {
    subject.close();
    hurt[Symbol.dispose]();
  }
});
