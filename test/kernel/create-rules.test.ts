import assert from 'node:assert/strict';
import test from 'node:test';
import { createMap } from '../../src/kernel/bpf/create.ts';
import { recipeOf } from '../../src/kernel/create/recipe.ts';
import { isSystemCallError } from '../../src/kernel/sys/errno.ts';
import { FdTable } from '../../src/kernel/sys/fd.ts';
import { isPinfoldError } from '../../src/model/error.ts';
import { typeRules } from '../../src/model/map-rule/type-rules.ts';

/** Numbers of include/uapi/linux/bpf.h, written down once more: the code under test has its own. */
const typeNumbers: Readonly<Record<string, number>> = {
  ...{ hash: 1, array: 2, prog_array: 3, perf_event_array: 4, percpu_hash: 5, percpu_array: 6 },
  ...{ stack_trace: 7, cgroup_array: 8, lru_hash: 9, lru_percpu_hash: 10, lpm_trie: 11, devmap: 14 },
  ...{ sockmap: 15, cpumap: 16, xskmap: 17, sockhash: 18, cgroup_storage: 19, reuseport_sockarray: 20 },
  ...{ percpu_cgroup_storage: 21, queue: 22, stack: 23, devmap_hash: 25, ringbuf: 27, bloom_filter: 30 },
  ...{ user_ringbuf: 31, arena: 33 },
};
const flagNumbers: Readonly<Record<string, number>> = { no_prealloc: 1, mmapable: 1024 };

const keySizes = [0, 1, 4, 5, 8, 16, 260, 261];
const valueSizes = [0, 1, 4, 5, 8, 12, 16, 64];
const entryCounts = [0, 1, 2, 3, 4096, 12_288, 8192];

const fds = new FdTable();

for (const [type, number] of Object.entries(typeNumbers)) {
  test(`what is refused of a ${type} before the kernel is asked, the kernel would refuse too`, () => {
    let accepted = 0;
    for (const key_size of keySizes) {
      for (const value_size of valueSizes) {
        for (const max_entries of entryCounts) {
          for (const flags of [[], ['no_prealloc'], ['mmapable']]) {
            const wanted = { type, key_size, value_size, max_entries, flags };
            if (isMade(number, wanted)) {
              accepted++;
              assert.doesNotThrow(() => recipeOf(wanted, '/body'), JSON.stringify(wanted));
            }
          }
        }
      }
    }
    assert.ok(accepted > 0, 'the kernel makes some of them');
    assert.deepEqual(fds.list(), []);
  });
}

test('the rules are of every type that is known, and name themselves', () => {
  const special = ['hash_of_maps', 'array_of_maps', 'struct_ops'];
  const storage = ['sk_storage', 'inode_storage', 'task_storage', 'cgrp_storage'];
  const known = [...Object.keys(typeNumbers), ...special, ...storage];
  assert.deepEqual(Object.keys(typeRules).sort(), known.sort());
  const wanted = { type: 'no_such', key_size: 1, value_size: 1, max_entries: 1 };
  assert.throws(
    () => recipeOf(wanted, '/body'),
    (error) => isPinfoldError(error, 'invalid_input') && /lpm_trie/.test(error.message),
  );
});

interface Wanted {
  readonly key_size: number;
  readonly value_size: number;
  readonly max_entries: number;
  readonly flags: readonly string[];
}

function isMade(type: number, { key_size, value_size, max_entries, flags }: Wanted): boolean {
  const bits = flags.reduce((sum, name) => sum | (flagNumbers[name] ?? 0), 0);
  const sizes = { keySize: key_size, valueSize: value_size, maxEntries: max_entries };
  try {
    createMap({ type, name: 'pf_rules', ...sizes, flags: bits }, { fds })[Symbol.dispose]();
    return true;
  } catch (error) {
    if (isSystemCallError(error, 'EINVAL', 'E2BIG', 'ENOTSUPP')) return false;
    throw error;
  }
}
