import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import type { PinEntry } from '../../src/agent/inventory/entry.ts';
import { pairChanges, pathOf } from '../../src/agent/inventory/pair-changes.ts';
import { parsePath } from '../../src/model/path.ts';
import { testSeed } from '../support/seed.ts';

const seed = testSeed();

/** A pin of an inode; its object has the inode's number, as if each had one of its own. */
function pin(path: string, inode: number, fields: { mode?: number; links?: number } = {}): PinEntry {
  const { mode = 0o600, links = 1 } = fields;
  return {
    mount: '0:39',
    instance: 'boot/0:39/-',
    path: parsePath(path),
    inode: { inode, mtimeNs: 1n, ctimeNs: 1n, mode, uid: 0, gid: 0, links },
    object: { kind: 'map', id: inode, type: 'hash', name: 'm', fingerprint: `f${inode}` },
    annotations: { labels: {}, owner: null, managed: false },
    firstSeen: '2026-11-23T10:00:00.000Z',
  };
}

/** What was decided, in short: `renamed b`, and for a rename over another pin `replaced b from a`. */
function decide(lost: readonly PinEntry[], found: readonly PinEntry[]): string[] {
  return pairChanges({ lost, found }).changes.map(
    ({ change, vacated }) =>
      `${change.type} ${pathOf(change)}${vacated === undefined ? '' : ` from ${vacated.path}`}`,
  );
}

test('a name that came is created, one that went is removed', () => {
  assert.deepEqual(decide([pin('a', 1)], [pin('b', 2)]), ['removed a', 'created b']);
});

test('an inode that left one name for another was renamed, once', () => {
  assert.deepEqual(decide([pin('a', 1)], [pin('b', 1)]), ['renamed b']);
});

test('a name that holds another inode was replaced', () => {
  assert.deepEqual(decide([pin('a', 1)], [pin('a', 2)]), ['replaced a']);
});

test('a rename over another pin is one replacement that tells where it came from', () => {
  assert.deepEqual(decide([pin('a', 1), pin('b', 2)], [pin('b', 1)]), ['replaced b from a']);
});

test('two pins exchanged are two renames', () => {
  assert.deepEqual(decide([pin('a', 1), pin('b', 2)], [pin('a', 2), pin('b', 1)]), [
    'renamed a',
    'renamed b',
  ]);
});

test('a chain of renames is one rename for each inode', () => {
  assert.deepEqual(decide([pin('a', 1), pin('c', 3)], [pin('a', 3), pin('b', 1)]), [
    'renamed a',
    'renamed b',
  ]);
});

test('a new pin where another was renamed away is created, and nothing is replaced', () => {
  assert.deepEqual(decide([pin('a', 1)], [pin('a', 2), pin('b', 1)]), ['created a', 'renamed b']);
});

test('a hard link is created, and its first name says nothing', () => {
  const { changes, kept } = pairChanges({
    lost: [pin('a', 1)],
    found: [pin('a', 1, { links: 2 }), pin('b', 1, { links: 2 })],
  });
  assert.deepEqual(
    changes.map(({ change }) => change.type),
    ['created'],
  );
  assert.equal(kept.length, 1, 'the first name only has fresher facts');
});

test('another mode or owner is a change, another link count is none', () => {
  assert.deepEqual(decide([pin('a', 1)], [pin('a', 1, { mode: 0o640 })]), ['changed a']);
  assert.deepEqual(decide([pin('a', 1)], [pin('a', 1, { links: 2 })]), []);
});

test('whatever happened, applying the changes to what was gives what is', () => {
  const names = ['a', 'b', 'c', 'd', 'd/e', 'f'];
  const world = fc.uniqueArray(fc.tuple(fc.constantFrom(...names), fc.integer({ min: 1, max: 6 })), {
    selector: ([name]) => name,
  });
  fc.assert(
    fc.property(world, world, (before, after) => {
      const lost = before.map(([name, inode]) => pin(name, inode));
      const found = after.map(([name, inode]) => pin(name, inode));
      const { changes, kept } = pairChanges({ lost, found });
      const there = new Map(lost.map(({ path, inode }) => [path, inode.inode]));
      for (const { change, vacated } of changes) {
        if (vacated !== undefined) there.delete(vacated.path);
        if ('before' in change) there.delete(change.before.path);
      }
      for (const { change } of changes)
        if ('after' in change) there.set(change.after.path, change.after.inode.inode);
      assert.deepEqual(there, new Map(found.map(({ path, inode }) => [path, inode.inode])));
      assert.ok(changes.length + kept.length <= new Set([...lost, ...found].map(({ path }) => path)).size);
    }),
    { seed, numRuns: 2000 },
  );
});
