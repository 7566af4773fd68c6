import assert from 'node:assert/strict';
import type { BtfInfo } from '../../src/model/schema/btf-info.ts';
import type { LinkInfo } from '../../src/model/schema/link-info.ts';
import type { MapInfo } from '../../src/model/schema/map-info.ts';
import type { ProgramInfo } from '../../src/model/schema/program-info.ts';

/** What `bpftool -j … show` prints of one object. */
export type Shown = Readonly<Record<string, unknown>> & { readonly id: number };

/**
 * A map is as bpftool shows it, in every field both have. Not its `btf_id`, which bpftool 7.1 gets wrong.
 *
 * bpftool knows types younger than itself only by number; of those the type is not compared, here and below.
 */
export function assertMapAgrees(map: MapInfo, shown: Shown): void {
  const expected = {
    id: shown.id,
    type: typeof shown['type'] === 'string' ? shown['type'] : map.type,
    name: shown['name'],
    map_flags: shown['flags'],
    key_size: shown['bytes_key'],
    value_size: shown['bytes_value'],
    max_entries: shown['max_entries'],
    memlock: shown['bytes_memlock'],
    frozen: shown['frozen'] !== 0,
  };
  const { id, type, name, map_flags, key_size, value_size, max_entries, memlock, frozen } = map;
  const actual = { id, type, name, map_flags, key_size, value_size, max_entries, memlock, frozen };
  assert.deepEqual(actual, expected, map.type);
}

/** A program is as bpftool shows it; the kernel's load time may differ by the second it is rounded to. */
export function assertProgramAgrees(program: ProgramInfo, shown: Shown): void {
  const expected = {
    id: shown.id,
    type: typeof shown['type'] === 'string' ? shown['type'] : program.type,
    name: shown['name'],
    tag: shown['tag'],
    gpl_compatible: shown['gpl_compatible'],
    created_by_uid: shown['uid'],
    xlated_prog_len: shown['bytes_xlated'],
    jited: shown['jited'],
    jited_prog_len: shown['bytes_jited'],
    memlock: shown['bytes_memlock'],
    map_ids: shown['map_ids'] ?? [],
    btf_id: shown['btf_id'],
  };
  const { id, type, name, tag, gpl_compatible, created_by_uid, xlated_prog_len, jited, jited_prog_len } =
    program;
  const { memlock, map_ids, btf_id } = program;
  const sizes = { xlated_prog_len, jited, jited_prog_len, memlock };
  const actual = { id, type, name, tag, gpl_compatible, created_by_uid, ...sizes, map_ids, btf_id };
  assert.deepEqual(actual, expected, program.type);
  const loadedAt = Date.parse(program.loaded_at ?? '') / 1000;
  const apart = Math.abs(loadedAt - Number(shown['loaded_at']));
  assert.ok(apart <= 1, `${program.loaded_at} is ${shown['loaded_at']}`);
}

/** A link has every field that bpftool shows, with the same value. */
export function assertLinkAgrees(link: LinkInfo, shown: Shown): void {
  const { type, cgroup_id, pinned, ...rest } = shown;
  if (typeof type === 'string') assert.equal(link.type, type);
  if (cgroup_id !== undefined) assert.equal(link.cgroup_id, String(cgroup_id));
  for (const [member, value] of Object.entries(rest)) {
    assert.equal(Reflect.get(link, member), value, `${link.type} ${member}`);
  }
}

/** A BTF object is as bpftool shows it. */
export function assertBtfAgrees({ id, type, name, btf_size, kernel_btf }: BtfInfo, shown: Shown): void {
  const isKernel = shown['kernel'];
  assert.deepEqual(
    { id, type, name, btf_size, kernel_btf },
    {
      id: shown.id,
      type: isKernel ? 'vmlinux' : 'user',
      name: shown['name'] ?? '',
      btf_size: shown['size'],
      kernel_btf: isKernel,
    },
  );
}
