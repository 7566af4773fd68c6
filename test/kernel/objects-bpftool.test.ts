import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import test, { after, before } from 'node:test';
import { openKernel } from '../../src/kernel/open-kernel.ts';
import type { ObjectKind } from '../../src/model/kind.ts';
import type { ObjectInfo } from '../../src/model/schema/object.ts';
import { bpftool } from '../support/bpftool.ts';
import {
  assertBtfAgrees,
  assertLinkAgrees,
  assertMapAgrees,
  assertProgramAgrees,
  type Shown,
} from '../support/bpftool-fields.ts';
import { compileC } from '../support/c-program.ts';
import { forFile } from '../support/disposal.ts';
import { makeObjects, type ObjectZoo } from '../support/make-objects.ts';

const kernel = forFile(openKernel());
let zoo: ObjectZoo;

before(async () => {
  zoo = await makeObjects();
});
after(() => zoo[Symbol.dispose]());

const words = { map: 'map', program: 'prog', link: 'link', btf: 'btf' } as const;

/** A list of all of a kind; bpftool gives up where an object of somebody else's goes while it lists. */
function listed(kind: ObjectKind): Shown[] {
  for (let attempt = 1; ; attempt++) {
    try {
      return bpftool<Shown[]>(words[kind], 'show');
    } catch (error) {
      if (attempt === 5) throw error;
    }
  }
}

/** What the zoo has of a kind, as we describe it and as bpftool shows it. */
function pairs<Kind extends ObjectKind>(kind: Kind): [ObjectInfo & { kind: Kind }, Shown][] {
  const ids = new Set(zoo.made.filter((made) => made.kind === kind).map((made) => made.id));
  const found = listed(kind).filter(({ id }) => ids.has(id));
  assert.equal(found.length, ids.size, `bpftool shows every ${kind} of the zoo`);
  return found.map((each) => [described(kind, each.id), each]);
}

function described<Kind extends ObjectKind>(kind: Kind, id: number): ObjectInfo & { kind: Kind } {
  const info = kernel.objects.describe(kind, id)?.info;
  assert.ok(info?.kind === kind, `${kind} ${id} is described`);
  return info as ObjectInfo & { kind: Kind };
}

/** What the C program says; it gives the kernel a zeroed structure for each object. */
function judged(kind: ObjectKind, ids: readonly number[]): Shown[] {
  const lines = execFileSync(
    compileC('info'),
    ids.map((id) => `${words[kind]}:${id}`),
    { encoding: 'utf8' },
  );
  return lines
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Shown);
}

/** The kernel's word for zero is that there is none; ours is that there is no such member. */
function orZero(value: unknown): unknown {
  return value ?? 0;
}

test('maps of at least 25 types agree with bpftool on every field both have', () => {
  const maps = pairs('map');
  for (const [map, shown] of maps) assertMapAgrees(map, shown);
  assert.ok(new Set(maps.map(([map]) => map.type)).size >= 25);
});

test('every object carries the type it was made with, also those bpftool knows only by number', () => {
  for (const { kind, type, id } of zoo.made) assert.equal(described(kind, id).type, type);
});

test('maps agree with a C program that zeroes its buffers, on all of bpf_map_info', () => {
  const ids = zoo.made.filter((made) => made.kind === 'map').map((made) => made.id);
  let withBtf = 0;
  for (const shown of judged('map', ids)) {
    const map = described('map', shown.id);
    for (const member of [
      'name',
      'key_size',
      'value_size',
      'max_entries',
      'map_flags',
      'ifindex',
      'netns_ino',
      'btf_id',
      'btf_key_type_id',
      'btf_value_type_id',
      'btf_vmlinux_value_type_id',
    ] as const) {
      assert.equal(orZero(map[member]), shown[member], `${map.type} ${member}`);
    }
    assert.equal(map.map_extra ?? '0', String(shown['map_extra']));
    assert.equal(map.netns_dev ?? '0', String(shown['netns_dev']));
    withBtf += map.btf_id === undefined ? 0 : 1;
  }
  assert.equal(withBtf, 6);
});

test('programs of at least 12 types agree with bpftool on every field both have', () => {
  const programs = pairs('program');
  for (const [program, shown] of programs) assertProgramAgrees(program, shown);
  assert.ok(new Set(programs.map(([program]) => program.type)).size >= 12);
});

test('programs agree with a C program on all of bpf_prog_info', () => {
  const ids = zoo.made.filter((made) => made.kind === 'program').map((made) => made.id);
  for (const shown of judged('program', ids)) {
    const program = described('program', shown.id);
    for (const member of [
      'name',
      'tag',
      'created_by_uid',
      'jited_prog_len',
      'xlated_prog_len',
      'ifindex',
      'netns_ino',
      'nr_jited_ksyms',
      'nr_jited_func_lens',
      'btf_id',
      'func_info_rec_size',
      'nr_func_info',
      'nr_line_info',
      'nr_jited_line_info',
      'line_info_rec_size',
      'jited_line_info_rec_size',
      'nr_prog_tags',
      'run_time_ns',
      'run_cnt',
      'recursion_misses',
      'verified_insns',
      'attach_btf_obj_id',
      'attach_btf_id',
    ] as const) {
      assert.equal(orZero(program[member]), shown[member], `${program.type} ${member}`);
    }
    assert.equal(program.load_time, String(shown['load_time']));
    assert.equal(program.gpl_compatible, shown['gpl_compatible'] === 1);
    assert.equal(program.map_ids?.length, shown['nr_map_ids']);
    assert.equal(program.prog_tags?.length, shown['nr_prog_tags']);
    assert.equal(program.jited_func_lens?.length, shown['nr_jited_func_lens']);
  }
});

test('links of at least 6 types agree with bpftool on every field both have', () => {
  const links = pairs('link');
  for (const [link, shown] of links) assertLinkAgrees(link, shown);
  assert.ok(new Set(links.map(([link]) => link.type)).size >= 6);
});

test('BTF objects agree with bpftool', () => {
  const ours = new Set(zoo.made.filter((made) => made.kind === 'map').map((made) => made.id));
  const usedByZoo = (shown: Shown): boolean => {
    const users: unknown = shown['map_ids'];
    return Array.isArray(users) && users.some((id) => ours.has(id));
  };
  const all = listed('btf').filter((shown) => shown['name'] === 'vmlinux' || usedByZoo(shown));
  assert.ok(all.length >= 2);
  for (const shown of all) assertBtfAgrees(described('btf', shown.id), shown);
});

test('after all this no descriptor is open but those the kernel keeps for its iterators', () => {
  assert.deepEqual(kernel.fds.transient(), []);
});
