import assert from 'node:assert/strict';
import { existsSync, statSync } from 'node:fs';
import test from 'node:test';
import fc from 'fast-check';
import { limits } from '../../src/model/limits.ts';
import { parsePath, pathMembers } from '../../src/model/path.ts';
import type { EventDocument, NewEvent } from '../../src/model/schema/event.ts';
import type { EventQuery, Store } from '../../src/model/store.ts';
import { filterOf } from '../../src/store/event-filter.ts';
import { random, testSeed } from '../support/seed.ts';
import {
  databaseOf,
  eventOf,
  intentOf,
  openTestStore,
  pinOf,
  sqlite3,
  sqlite3Rows,
  testBoot,
  testClock,
} from '../support/store.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';

const seed = testSeed();
const dayMs = 24 * 3600 * 1000;

/** A store that ends with the body. */
function withStore(
  body: (store: Store, database: string) => void,
  options: Parameters<typeof openTestStore>[1] = {},
): void {
  const dir = tempDir('store-events');
  const store = openTestStore(dir.path, options);
  try {
    body(store, databaseOf(dir.path));
  } finally {
    store.close();
    dir[Symbol.dispose]();
  }
}

test('an event comes back as it went in, stamped with number, node and boot', () => {
  withStore((store) => {
    const bare = eventOf({ subject: {}, before: { a: 1 }, after: null });
    const bytes = eventOf({ subject: { mount: '0:39', ...pathMembers('a/\xff') }, operation_id: 'op-1' });
    const stamped = [bare, bytes, eventOf()].map((event, index) => ({
      seq: index + 1,
      node: 'node-1',
      boot_id: testBoot,
      ...event,
    }));
    assert.deepEqual(store.events.append([bare, bytes, eventOf()]), stamped);
    assert.deepEqual(store.events.list({ limit: 10 }), stamped);
    assert.deepEqual(store.events.append([]), []);
    assert.equal(store.events.lastSeq(), 3);
  });
});

test('numbers have no holes after rollbacks and are not used again after clean-up of everything', () => {
  withStore((store, database) => {
    store.events.append([eventOf(), eventOf()]);
    assert.throws(() =>
      store.transaction(() => {
        assert.equal(store.events.append([eventOf()])[0]?.seq, 3);
        throw new Error('no');
      }),
    );
    store.transaction(() => {
      assert.throws(() =>
        store.transaction(() => {
          store.events.append([eventOf(), eventOf()]);
          throw new Error('no');
        }),
      );
      store.events.append([eventOf()]);
    });
    assert.equal(sqlite3(database, 'SELECT group_concat(seq) FROM event'), '1,2,3');
    assert.equal(store.events.prune(3, 2), 2);
    assert.equal(store.events.prune(3, 500), 1);
    assert.equal(store.events.append([eventOf()])[0]?.seq, 4);
    assert.equal(store.events.lastSeq(), 4);
  });
});

test('beyond the newest million, events go however young they are, and no sooner', () => {
  withStore((store, database) => {
    store.events.append([eventOf(), eventOf()]);
    // The database gives numbers without holes; here most of those rows are imagined.
    sqlite3(database, `UPDATE store SET event_seq = ${limits.eventsMax - 1}`);
    store.events.append([eventOf()]);
    assert.equal(store.prune(), 0);
    store.events.append([eventOf()]);
    assert.equal(store.prune(), 1);
    assert.equal(store.prune(), 0);
    const { eventsMax } = limits;
    assert.equal(
      sqlite3(database, 'SELECT group_concat(seq) FROM event'),
      [2, eventsMax, eventsMax + 1].join(','),
    );
  });
});

const choices = {
  type: ['pin.created', 'pin.removed', 'pin.renamed', 'pin.replaced', 'object.gone'] as const,
  path: ['a', 'a/b', 'a/b/c', 'a-b', 'ab', 'a0', 'b', '\xff', '\xff/x'],
  kind: ['map', 'program'],
  actor: ['unknown', 'api:ci'],
  mount: ['0:39', '0:40'],
} as const;

/** Some of a pin, which may have moved there, some of an object. */
function someEvents(count: number): NewEvent[] {
  const { int, pick } = random(seed);
  return Array.from({ length: count }, () => {
    const type = pick(choices.type);
    const place = { mount: pick(choices.mount), ...pathMembers(pick(choices.path)) };
    const left = pathMembers(pick(choices.path));
    const about = { kind: pick(choices.kind), id: int(4) };
    return {
      time: new Date(1.79e12 + int(1000) * 1000).toISOString(),
      type,
      subject: int(4) === 0 ? about : { ...place, ...about },
      before: type === 'pin.renamed' ? left : null,
      after: type === 'pin.replaced' && int(2) === 0 ? { renamed_from: left } : { count },
      actor: pick(choices.actor),
    };
  });
}

/** The path a document carries; none for one without. */
function pathIn(document: unknown): string | undefined {
  const { path, path_bytes: bytes } = Object(document);
  if (bytes !== undefined) return Buffer.from(bytes, 'base64').toString('latin1');
  return path === undefined ? undefined : Buffer.from(path).toString('latin1');
}

/** What a query means, said over an array. */
function matches(event: EventDocument, query: EventQuery): boolean {
  const { subject, type, before, after } = event;
  const left = type === 'pin.renamed' ? before : after?.['renamed_from'];
  const isAtPath = (wanted: string): boolean => {
    const isHere = (path: string | undefined): boolean =>
      path === wanted || (query.within === true && path?.startsWith(`${wanted}/`) === true);
    if (query.within === true && wanted === '') return pathIn(subject) !== undefined;
    return isHere(pathIn(subject)) || isHere(pathIn(left));
  };
  return (
    (query.afterSeq === undefined || event.seq > query.afterSeq) &&
    (query.since === undefined || Date.parse(event.time) >= Date.parse(query.since)) &&
    (query.until === undefined || Date.parse(event.time) < Date.parse(query.until)) &&
    (query.types === undefined || query.types.includes(event.type)) &&
    (query.mount === undefined || event.subject.mount === query.mount) &&
    (query.path === undefined || isAtPath(query.path)) &&
    (query.kind === undefined || event.subject.kind === query.kind) &&
    (query.id === undefined || event.subject.id === query.id) &&
    (query.actor === undefined || event.actor === query.actor)
  );
}

test('every combination of filters gives what filtering an array gives, in order and in pages', () => {
  withStore((store) => {
    const all = store.events.append(someEvents(600));
    const time = fc.integer({ min: 0, max: 1000 }).map((s) => new Date(1.79e12 + s * 1000).toISOString());
    const query = fc.record(
      {
        afterSeq: fc.integer({ min: 0, max: 650 }),
        since: fc.oneof(
          time,
          time.map((text) => text.replace('.000Z', '+00:00')),
        ),
        until: time,
        types: fc.subarray([...choices.type, 'node.started']),
        mount: fc.constantFrom(...choices.mount),
        path: fc.constantFrom(...choices.path, ''),
        within: fc.boolean(),
        kind: fc.constantFrom(...choices.kind),
        id: fc.integer({ min: 0, max: 4 }),
        actor: fc.constantFrom(...choices.actor),
        limit: fc.integer({ min: 1, max: 700 }),
      },
      { requiredKeys: ['limit'] },
    );
    fc.assert(
      fc.property(query, (asked) => {
        const expected = all.filter((event) => matches(event, asked));
        assert.deepEqual(store.events.list(asked), expected.slice(0, asked.limit));
        const { afterSeq: _, ...counted } = asked;
        assert.equal(store.events.count(counted), all.filter((event) => matches(event, counted)).length);
      }),
      { seed, numRuns: 1500 },
    );
  });
});

test('queries by pin, object, type, actor and time are answered from an index', () => {
  withStore((store, database) => {
    store.events.append(someEvents(10));
    const plans = [
      { where: `path = x'61' AND mount = '0:39'`, index: 'event_path' },
      { where: 'object_id = 3', index: 'event_object' },
      { where: `type IN ('pin.created')`, index: 'event_type' },
      { where: `actor = 'x'`, index: 'event_actor' },
      { where: `time >= '2026'`, index: 'event_time', order: '+seq' },
    ];
    for (const { where, index, order = 'seq' } of plans) {
      const sql = `EXPLAIN QUERY PLAN SELECT seq FROM event WHERE ${where} ORDER BY ${order} LIMIT 5`;
      assert.match(sqlite3(database, sql), new RegExp(`USING (COVERING )?INDEX ${index}`), where);
    }
    for (const within of [false, true]) {
      const { where } = filterOf({ path: parsePath('a'), within, afterSeq: 3 });
      const sql = `EXPLAIN QUERY PLAN SELECT seq FROM event ${where} ORDER BY seq LIMIT 5`;
      const plan = sqlite3(database, sql.replaceAll('seq > ?', 'seq > 3').replaceAll('?', `x'61'`));
      assert.match(plan, /INDEX event_path \(path[\s\S]*INDEX event_path_left \(path_left/, where);
      assert.doesNotMatch(plan, /SCAN/);
    }
  });
});

test('clean-up removes what is over and old, in small rounds, and keeps the open, present, young', () => {
  const clock = testClock();
  withStore(
    (store, database) => {
      const old = clock.now().toISOString();
      const count = limits.deleteChunkRows + 1;
      const many = Array.from({ length: count }, (_, index) => index);
      store.transaction(() => {
        store.events.append(many.map(() => eventOf({ time: old })));
        store.pins.put(many.map((index) => pinOf({ path: `old/${index}`, lastSeen: old })));
        store.pins.markGone(
          many.map((index) => ({ instance: 'instance-1', path: `old/${index}` })),
          old,
        );
        store.pins.put([pinOf({ path: 'present', lastSeen: old }), pinOf({ path: 'young' })]);
        for (const index of many) {
          store.journal.begin(intentOf(`old-${index}`));
          store.journal.settle(`old-${index}`, 'applied', old, null);
        }
        store.journal.begin(intentOf('open', { startedAt: old }));
      });
      clock.pass(1000);
      assert.equal(store.prune(), 0);
      clock.pass(20 * dayMs);
      const young = clock.now().toISOString();
      store.events.append([eventOf({ time: young })]);
      store.pins.markGone([{ instance: 'instance-1', path: 'young' }], young);
      assert.equal(store.prune(), 0);
      clock.pass(10 * dayMs);
      assert.equal(store.prune(), 3 * limits.deleteChunkRows);
      assert.equal(store.prune(), 3);
      assert.equal(store.prune(), 0);
      assert.equal(
        sqlite3(database, 'SELECT group_concat(path) FROM (SELECT path FROM pin ORDER BY path)'),
        'present,young',
      );
      assert.equal(sqlite3(database, 'SELECT group_concat(id) FROM operation'), 'open');
      assert.equal(sqlite3(database, 'SELECT group_concat(time) FROM event'), young);
      clock.pass(31 * dayMs);
      assert.equal(store.prune(), 2);
      assert.equal(store.journal.listOpen().length, 1);
      assert.deepEqual(
        store.pins.listPresent().map(({ path }) => path),
        ['present'],
      );
      assert.equal(store.events.lastSeq(), count + 1);
    },
    { clock },
  );
});

test('the write-ahead log stays bounded over many thousand transactions', () => {
  withStore((store, database) => {
    const filler = { text: 'x'.repeat(2000) };
    for (let index = 0; index < 15_000; index++) store.events.append([eventOf({ after: filler })]);
    const [row] = sqlite3Rows(database, `SELECT count(*) AS rows FROM event`);
    assert.equal(row?.['rows'], 15_000);
    const walBytes = Number(sqlite3(database, `SELECT length(readfile('${database}-wal'))`));
    assert.ok(walBytes < 1.5 * limits.walCheckpointBytes, `${walBytes} bytes`);
  });
});

test('a log that has grown is brought into the database by the way, and all of it at the end', async () => {
  using dir = tempDir('store-log');
  const database = databaseOf(dir.path);
  const store = openTestStore(dir.path);
  const filler = { text: 'x'.repeat(2000) };
  const bytesOf = (file: string): number => statSync(file).size;
  let count = 0;
  const write = (): void => {
    for (const begin = count; count < begin + 64; count++) store.events.append([eventOf({ after: filler })]);
  };
  while (bytesOf(`${database}-wal`) < limits.walHandedOverBytes) write();
  write();
  assert.ok(bytesOf(`${database}-wal`) < limits.walCheckpointBytes, 'the log is not overdue');
  await until(
    'the database to grow',
    () => bytesOf(database),
    (bytes) => bytes > 1000 * count,
  );
  for (let more = 0; more < 8; more++) write();
  store.close();
  assert.equal(existsSync(`${database}-wal`), false);
  assert.equal(sqlite3(database, 'SELECT count(*) FROM event'), String(count));
  assert.equal(sqlite3(database, 'PRAGMA integrity_check'), 'ok');
});
