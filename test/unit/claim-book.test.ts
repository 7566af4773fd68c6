import assert from 'node:assert/strict';
import test from 'node:test';
import { ClaimBook } from '../../src/agent/claim/claim-book.ts';
import type { Claim } from '../../src/model/claim/claim.ts';
import { parseOwner } from '../../src/model/claim/owner.ts';
import { type ClaimWish, planClaim } from '../../src/model/claim/plan-claim.ts';
import { isPinfoldError } from '../../src/model/error.ts';
import { limits } from '../../src/model/limits.ts';
import { parsePath } from '../../src/model/path.ts';
import type { EventDocument } from '../../src/model/schema/event.ts';
import type { Store } from '../../src/model/store.ts';
import { databaseOf, openTestStore, sqlite3, testBoot, testClock } from '../support/store.ts';
import { tempDir } from '../support/temp-dir.ts';

/** A book over a store of its own, which can be closed and opened again as by another agent. */
function openBook(stateDir: string, bootId = testBoot, clock = testClock()) {
  const store: Store = openTestStore(stateDir, { clock, bootId });
  const told: EventDocument[] = [];
  const announce = (events: readonly EventDocument[]): void => void told.push(...events);
  const book = new ClaimBook({ store, clock, bootId, announce, primaryMount: () => '0:40' });
  let operations = 0;
  const put = (owner: string, wish: Partial<ClaimWish>): Claim => {
    const asked = { wish: { adopts: false, ...wish }, sights: new Map([['seen', object]]) };
    const operationId = `op-${++operations}-${owner.slice(0, 20)}`;
    const moment = { operationId, actor: 'api:x', at: clock.now().toISOString(), now: book.now() };
    const name = parseOwner(owner);
    const planned = planClaim(name, book.find(name), asked, moment);
    book.assertFits(planned);
    store.transaction(() => book.put(planned, { actor: 'api:x', operationId, at: moment.at }))();
    return planned.claim;
  };
  return { store, clock, book, told, put, [Symbol.dispose]: () => store.close() };
}

const object = { kind: 'map', id: 7, type: 'hash', name: 'm', fingerprint: 'f7' } as const;
const seen = parsePath('seen');
const empty = parsePath('empty');

test('claims are there again after a restart, as they were, and sqlite3 sees them', () => {
  using dir = tempDir('claims');
  const made: Claim[] = [];
  {
    using first = openBook(dir.path);
    made.push(first.put('a\u00ff', { paths: [seen, empty], leaseMs: 60_000, labels: { x: 'y' } }));
    made.push(first.put('b', { paths: [empty], mount: '0:41' }));
  }
  const rows = sqlite3(
    databaseOf(dir.path),
    'SELECT hex(owner), lease_ms, deadline_ms FROM claim ORDER BY owner',
  );
  assert.equal(rows, '61C3BF|60000|120000\n62||');
  using second = openBook(dir.path);
  assert.deepEqual(second.book.list(), made);
  assert.deepEqual(
    second.book.claimsOf({ mount: '0:40', path: seen }).map(({ claim }) => claim),
    [made[0]?.id],
  );
  assert.deepEqual(
    second.book.claimsOf({ mount: '0:41', path: empty }).map(({ owner }) => owner),
    ['b'],
  );
  assert.equal(second.book.claimsOf({ mount: '0:41', path: seen }).length, 0);
  assert.deepEqual(second.book.counts(), { claims: 2, pins: 3, expired: 0 });
});

test('in another boot a claim of the primary instance goes on, and forgets the objects', () => {
  using dir = tempDir('claims');
  const clock = testClock();
  {
    using first = openBook(dir.path, testBoot, clock);
    first.put('primary', { paths: [seen], leaseMs: 60_000 });
    first.put('numbered', { paths: [seen], leaseMs: 60_000, mount: '0:40' });
  }
  clock.pass(-30_000);
  {
    using next = openBook(dir.path, 'another-boot', clock);
    const [numbered, primary] = next.book.list();
    assert.deepEqual(primary?.pins, [{ path: seen, object: null }]);
    assert.deepEqual(primary?.lease?.deadline, { bootId: 'another-boot', ms: clock.bootMs() + 60_000 });
    assert.equal(numbered?.bootId, testBoot, 'an instance of a number means nothing any more');
    const owners = next.book.claimsOf({ mount: '0:40', path: seen }).map(({ owner }) => owner);
    assert.deepEqual(owners, ['primary']);
    clock.pass(30_000);
  }
  using again = openBook(dir.path, 'another-boot', clock);
  assert.equal(
    again.book.find('primary')?.lease?.deadline.ms,
    clock.bootMs() + 30_000,
    'it was written down',
  );
  clock.pass(30_000);
  again.book.expire();
  assert.deepEqual(again.book.list(), []);
  assert.deepEqual(
    again.told.map(({ type, subject }) => [type, subject.name]),
    [
      ['claim.expired', 'numbered'],
      ['claim.expired', 'primary'],
    ],
  );
});

test('claims that hooks made end with the boot of their workloads, and no others do', () => {
  using dir = tempDir('claims');
  const oci = { runtime: 'oci', container: 'c' };
  const cni = { runtime: 'cni', network: 'n' };
  const names = ['cni:n:c:eth0', 'oci:c', 'oci:by-hand', 'pod'];
  {
    using first = openBook(dir.path);
    first.put('oci:c', { paths: [seen], labels: oci });
    first.put('cni:n:c:eth0', { paths: [seen, empty], labels: cni });
    first.put('oci:by-hand', { paths: [seen] });
    first.put('pod', { paths: [seen], labels: oci });
  }
  {
    using again = openBook(dir.path);
    assert.deepEqual(
      again.book.list().map(({ owner }) => owner),
      [...names].sort(),
    );
  }
  using next = openBook(dir.path, 'another-boot');
  assert.deepEqual(
    next.book.list().map(({ owner }) => owner),
    ['oci:by-hand', 'pod'],
  );
  assert.deepEqual(
    next.told.map(({ type, subject, actor }) => [type, subject.name, actor]),
    [
      ['claim.expired', 'cni:n:c:eth0', 'kernel'],
      ['claim.expired', 'oci:c', 'kernel'],
    ],
  );
  assert.deepEqual(next.book.counts(), { claims: 2, pins: 1, expired: 2 });
  assert.equal(sqlite3(databaseOf(dir.path), 'SELECT count(*) FROM claim'), '2');
});

test('what could not be committed is not in memory either', () => {
  using dir = tempDir('claims');
  using open = openBook(dir.path);
  const first = open.put('a', { paths: [seen] });
  const origin = { actor: 'api:x', operationId: 'op', at: open.clock.now().toISOString() };
  assert.throws(() =>
    open.store.transaction(() => {
      open.book.release(first.id, origin);
      throw new Error('the disk is full');
    }),
  );
  assert.deepEqual(open.book.list(), [first]);
  assert.equal(open.book.claimsOf({ mount: '0:40', path: seen }).length, 1);
  assert.deepEqual(
    open.told.map(({ type }) => type),
    ['claim.made'],
  );
  open.store.transaction(() => open.book.release(first.id, origin))();
  open.store.transaction(() => open.book.release(first.id, origin))();
  assert.deepEqual(
    open.told.map(({ type }) => type),
    ['claim.made', 'claim.released'],
    'once is enough',
  );
});

test('an event lists so many paths, and counts all', () => {
  using dir = tempDir('claims');
  using open = openBook(dir.path);
  const paths = (count: number) => Array.from({ length: count }, (_, index) => parsePath(`p${index}`));
  open.put('many', { paths: paths(limits.claimEventPinsMax) });
  open.put('more', { paths: paths(limits.claimEventPinsMax + 1) });
  const told = open.told.map(({ after }) => [Object(after?.['pins']).length, after?.['pins_total']]);
  const max = limits.claimEventPinsMax;
  assert.deepEqual(told, [
    [max, max],
    [max, max + 1],
  ]);
});

test('there are as many claims as the limit says, and not one more; a change of one still fits', () => {
  using dir = tempDir('claims');
  using open = openBook(dir.path);
  open.store.transaction(() => {
    for (let index = 0; index < limits.claimsMax; index++) open.put(`owner-${index}`, { paths: [seen] });
  });
  const refusal = (thrown: unknown) => isPinfoldError(thrown, 'too_many_requests');
  assert.throws(() => open.put('one-more', { paths: [seen] }), refusal);
  open.put('owner-0', { labels: { a: 'b' } });
  assert.equal(open.book.counts().claims, limits.claimsMax);
});

test('all claims together have as many bytes as the limit says, and not one more', () => {
  using dir = tempDir('claims');
  using open = openBook(dir.path);
  const perClaim = 1024 * 1024;
  const labelOf = (owner: string, bytes: number) => ({
    l: 'x'.repeat(bytes - owner.length - seen.length - '{"l":""}'.length),
  });
  const owners = Array.from({ length: limits.claimsBytesMax / perClaim }, (_, index) => `o${index}`);
  open.store.transaction(() => {
    for (const owner of owners) open.put(owner, { paths: [seen], labels: labelOf(owner, perClaim) });
  });
  const refusal = (thrown: unknown) => isPinfoldError(thrown, 'too_many_requests');
  assert.throws(() => open.put('x', { paths: [seen] }), refusal);
  assert.throws(() => open.put('o0', { labels: labelOf('o0', perClaim + 1) }), refusal);
  open.put('o0', { labels: labelOf('o0', perClaim) });
});
