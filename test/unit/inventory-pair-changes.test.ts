import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import type { PinEntry } from '../../src/agent/inventory/entry.ts';
import { pairChanges } from '../../src/agent/inventory/pair-changes.ts';
import type { PinChange } from '../../src/agent/operation/sink.ts';
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

function nameOf(change: PinChange): string {
  return change.type === 'removed' ? change.before.path : change.after.path;
}

/** What was decided, in short: `renamed b`, and for a rename over another pin `replaced b from a`. */
function decide(lost: readonly PinEntry[], found: readonly PinEntry[]): string[] {
  return pairChanges({ lost, found }).changes.map(
    ({ change, vacated }) =>
      `${change.type} ${nameOf(change)}${vacated === undefined ? '' : ` from ${vacated.path}`}`,
  );
}

test('a name that came is created, one that went is removed', () => {
  assert.deepEqual(decide([pin('a', 1)], [pin('b', 2)]), ['created b', 'removed a']);
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

test('two pins exchanged are two replacements', () => {
  assert.deepEqual(decide([pin('a', 1), pin('b', 2)], [pin('a', 2), pin('b', 1)]), [
    'replaced a',
    'replaced b',
  ]);
});

test('a chain of renames is one rename for each inode, a name being left before it is taken', () => {
  assert.deepEqual(decide([pin('a', 1), pin('c', 3)], [pin('a', 3), pin('b', 1)]), [
    'renamed b',
    'renamed a',
  ]);
});

test('a new pin where another was renamed away is created, and nothing is replaced', () => {
  assert.deepEqual(decide([pin('a', 1)], [pin('a', 2), pin('b', 1)]), ['renamed b', 'created a']);
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
        const leaving = [
          ...('before' in change ? [change.before] : []),
          ...(vacated === undefined ? [] : [vacated]),
        ];
        for (const { path, inode } of leaving) {
          assert.equal(there.get(path), inode.inode, 'each change follows from those before it');
          there.delete(path);
        }
        if (!('after' in change)) continue;
        assert.ok(!there.has(change.after.path), 'a name is left before it is taken');
        there.set(change.after.path, change.after.inode.inode);
      }
      assert.deepEqual(there, new Map(found.map(({ path, inode }) => [path, inode.inode])));
      assert.ok(changes.length + kept.length <= new Set([...lost, ...found].map(({ path }) => path)).size);
    }),
    { seed, numRuns: 2000 },
  );
});
