import assert from 'node:assert/strict';
import { existsSync, mkdirSync, rmSync, statSync } from 'node:fs';
import test from 'node:test';
import type { PinSet } from '../../src/model/schema/pinset.ts';
import { createMap, isAlive, lookupEntry, pinnedMap, updateEntry } from '../support/bpftool.ts';
import { pinSetNode, putDesired } from '../support/pinset-node.ts';
import { until, untilPasses } from '../support/until.ts';

const patience = { timeoutMs: 60_000, everyMs: 50 };
const acl = {
  path: 'tc/globals/acl',
  map: { type: 'lpm_trie', key_size: 8, value_size: 4, max_entries: 100, flags: ['no_prealloc'] },
};
const edge = { selector: { role: 'edge' } };
const aKey = Buffer.from([32, 0, 0, 0, 10, 0, 0, 1]);
const aValue = Buffer.from([1, 2, 3, 4]);

test('a map that is wanted appears with its entries and attributes, and history says who made it', async () => {
  await using node = await pinSetNode();
  const labels = { team: 'net' };
  const entries = [{ key: '200000000a000001', value: '01020304' }];
  await node.put('edge-acl', 1, {
    ...edge,
    pins: [
      { ...acl, map: { ...acl.map, format: 'raw' }, mode: '0640', gid: 7, labels, owner: 'acl', entries },
    ],
  });
  const said = await node.untilState('edge-acl', 1, 'ok');
  assert.deepEqual([said.generation, said.seen, said.drifts], [1, 1, []]);
  const made = pinnedMap(node.path('tc/globals/acl'));
  assert.deepEqual([made.type, made.max_entries], ['lpm_trie', 100]);
  assert.deepEqual(lookupEntry(node.path('tc/globals/acl'), aKey), new Uint8Array(aValue));
  const { mode, gid } = statSync(node.path('tc/globals/acl'));
  assert.deepEqual([mode & 0o777, gid], [0o640, 7]);
  const { items } = node.at.agent.reads.pins({ mount: undefined }, { after: undefined, limit: 10 }).value;
  assert.deepEqual([items[0]?.labels, items[0]?.owner], [labels, 'acl']);
  const created = node.at.eventsOf(items[0]?.mount ?? '').filter(({ type }) => type === 'pin.created');
  assert.deepEqual(
    created.map(({ actor, subject }) => [actor, subject.path]),
    [['pinset:edge-acl@1', acl.path]],
  );
  assert.deepEqual(node.own.get('edge-acl').made, [acl.path]);
});
