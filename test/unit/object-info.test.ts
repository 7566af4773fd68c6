import assert from 'node:assert/strict';
import test from 'node:test';
import { parseBtfInfo } from '../../src/kernel/object/btf-info.ts';
import { parseFdInfo } from '../../src/kernel/object/fdinfo.ts';
import { parseLinkInfo } from '../../src/kernel/object/link-info.ts';
import type { LinkTexts } from '../../src/kernel/object/link-texts.ts';
import { parseMapInfo } from '../../src/kernel/object/map-info.ts';
import { parseProgramInfo } from '../../src/kernel/object/program-info.ts';
import { fingerprintOf } from '../../src/model/fingerprint.ts';
import { random, testSeed } from '../support/seed.ts';

/*
 * Also types this kernel cannot make, on bytes laid out by hand from include/uapi/linux/bpf.h of Linux 6.18.
 */

type Fields = Readonly<Record<number, number | bigint | string>>;

/** A structure with some fields set: numbers are 32 bits wide, bigints 64, texts as they are. */
function struct(size: number, fields: Fields): Buffer {
  const bytes = Buffer.alloc(size);
  for (const [at, value] of Object.entries(fields)) {
    if (typeof value === 'string') bytes.write(value, Number(at), 'latin1');
    else if (typeof value === 'bigint') bytes.writeBigUInt64LE(value, Number(at));
    else bytes.writeInt32LE(value | 0, Number(at));
  }
  return bytes;
}

const noFdInfo = parseFdInfo('');

function link(type: number, fields: Fields, texts: LinkTexts = {}) {
  const bytes = struct(64, { 0: type, 4: 9, 8: 5, ...fields });
  const { kind, id, prog_id, ...rest } = parseLinkInfo(bytes, texts, noFdInfo);
  assert.deepEqual([kind, id, prog_id], ['link', 9, 5]);
  return rest;
}

test('a tracing link names its target, attach type and cookie', () => {
  assert.deepEqual(link(2, { 16: 24, 20: 1, 24: 4711, 32: 77n }), {
    type: 'tracing',
    attach_type: 'trace_fentry',
    target_obj_id: 1,
    target_btf_id: 4711,
    cookie: '77',
  });
});

test('iterator links tell the map, the cgroup or the task they are about', () => {
  assert.deepEqual(link(4, { 28: 12 }, { name: 'bpf_map_elem' }), {
    type: 'iter',
    target_name: 'bpf_map_elem',
    map_id: 12,
  });
  assert.deepEqual(link(4, { 32: 77777777777n, 40: 2 }, { name: 'cgroup' }), {
    type: 'iter',
    target_name: 'cgroup',
    cgroup_id: '77777777777',
    order: 'descendants_pre',
  });
  assert.deepEqual(link(4, { 32: 100, 36: 99 }, { name: 'task_file' }), {
    type: 'iter',
    target_name: 'task_file',
    tid: 100,
    pid: 99,
  });
});

test('a kprobe_multi link lists addresses and cookies, and counts what it missed', () => {
  const texts = { addrs: [0xffffffff81000000n, 0xffffffff81000010n], cookies: [1n, 0xffffffffffffffffn] };
  assert.deepEqual(link(8, { 16: 1n, 24: 2, 28: 1, 32: 5n, 40: 1n }, texts), {
    type: 'kprobe_multi',
    count: 2,
    flags: 1,
    missed: 5,
    addrs: ['0xffffffff81000000', '0xffffffff81000010'],
    cookies: ['1', '18446744073709551615'],
  });
});

test('a uprobe_multi link lists the places it probes in a file', () => {
  const texts = { name: '/usr/bin/node', offsets: [4096n], refCtrOffsets: [0n], cookies: [3n] };
  assert.deepEqual(link(12, { 48: 14, 52: 1, 56: 0, 60: 321 }, texts), {
    type: 'uprobe_multi',
    path: '/usr/bin/node',
    count: 1,
    flags: 0,
    pid: 321,
    offsets: ['4096'],
    ref_ctr_offsets: ['0'],
    cookies: ['3'],
  });
});

test('perf_event links tell of probes, tracepoints and events', () => {
  const type = 'perf_event';
  assert.deepEqual(link(7, { 16: 2, 36: 64, 40: 8n, 48: 16n }, { name: '/bin/sh' }), {
    type,
    perf_type: 'uretprobe',
    file_name: '/bin/sh',
    offset: 64,
    cookie: '8',
    ref_ctr_offset: '16',
  });
  assert.deepEqual(link(7, { 16: 3, 40: 0xffffffff81234567n, 48: 2n, 56: 9n }, { name: 'vfs_read' }), {
    type,
    perf_type: 'kprobe',
    func_name: 'vfs_read',
    offset: 0,
    addr: '0xffffffff81234567',
    missed: 2,
    cookie: '9',
  });
  assert.deepEqual(link(7, { 16: 5, 40: 4n }, { name: 'sched_switch' }), {
    type,
    perf_type: 'tracepoint',
    tp_name: 'sched_switch',
    cookie: '4',
  });
  assert.deepEqual(link(7, { 16: 6, 24: 0xfffffffffffffffen, 32: 4 }), {
    type,
    perf_type: 'event',
    event_config: '18446744073709551614',
    event_type: 4,
  });
  assert.deepEqual(link(7, { 16: 99 }), { type, perf_type: 'type_99' });
});

test('netkit and struct_ops links tell their target, and that it is gone', () => {
  assert.deepEqual(link(13, { 16: 3, 20: 54 }), {
    type: 'netkit',
    ifindex: 3,
    attach_type: 'netkit_primary',
    is_attached: true,
  });
  assert.deepEqual(link(13, { 20: 55 }), {
    type: 'netkit',
    ifindex: 0,
    attach_type: 'netkit_peer',
    is_attached: false,
  });
  assert.deepEqual(link(9, { 16: 40 }), { type: 'struct_ops', map_id: 40, is_attached: true });
});

test('types, attach types and flags newer than this build keep their numbers', () => {
  assert.deepEqual(link(77, {}), { type: 'type_77' });
  assert.equal(link(11, { 16: 1, 20: 200 }).attach_type, 'type_200');
  const map = parseMapInfo(struct(104, { 0: 90, 20: 1 | (1 << 30) }), noFdInfo);
  assert.deepEqual([map.type, map.flags], ['type_90', ['no_prealloc', 'bit_30']]);
  const lists = { mapIds: [], jitedFuncLens: [], progTags: [] };
  const program = parseProgramInfo(struct(232, { 0: 91 }), lists, { fdInfo: noFdInfo, boot: { epochMs: 0 } });
  assert.equal(program.type, 'type_91');
});

test('a map offloaded to a device, of a struct_ops type and with map_extra tells all of it', () => {
  const bytes = struct(104, {
    0: 26,
    4: 7,
    8: 4,
    12: 256,
    16: 1,
    24: 'pf_ops',
    40: 3,
    44: 1234,
    48: 4n,
    56: 4026531840n,
    76: 1,
    80: 0x100000000000n,
  });
  const map = parseMapInfo(bytes, parseFdInfo('map_type:\t26\nfrozen:\t1\nmemlock:\t4096\n'));
  assert.deepEqual(map, {
    kind: 'map',
    id: 7,
    type: 'struct_ops',
    name: 'pf_ops',
    key_size: 4,
    value_size: 256,
    max_entries: 1,
    map_flags: 0,
    flags: [],
    map_extra: '17592186044416',
    ifindex: 3,
    netns_dev: '4',
    netns_ino: 4026531840,
    btf_vmlinux_value_type_id: 1234,
    btf_vmlinux_id: 1,
    frozen: true,
    memlock: 4096,
  });
});

test('what an older kernel does not fill is absent, not zero', () => {
  const map = parseMapInfo(struct(24, { 0: 1, 4: 7 }), noFdInfo);
  assert.deepEqual(Object.keys(map).sort(), [
    'flags',
    'id',
    'key_size',
    'kind',
    'map_flags',
    'max_entries',
    'name',
    'type',
    'value_size',
  ]);
  const lists = { mapIds: [], jitedFuncLens: [], progTags: [] };
  const program = parseProgramInfo(struct(40, { 0: 6, 4: 3, 8: 'abcdefgh' }), lists, {
    fdInfo: noFdInfo,
    boot: { epochMs: 0 },
  });
  assert.deepEqual(program, {
    kind: 'program',
    id: 3,
    type: 'xdp',
    name: '',
    tag: '6162636465666768',
    jited: false,
  });
  assert.deepEqual(parseBtfInfo(struct(16, { 8: 100, 12: 5 }), ''), {
    kind: 'btf',
    id: 5,
    type: 'user',
    name: '',
    btf_size: 100,
  });
});

test('fingerprints differ where identities do, and a hostile name stays one part', () => {
  const map = (name: string, size: number) =>
    fingerprintOf(parseMapInfo(struct(104, { 0: 1, 8: 4, 12: size, 16: 16, 24: name }), noFdInfo));
  assert.equal(map('a_map', 8), 'map/hash/k4/v8/n16/f0/btf0.0.0/a_map');
  assert.notEqual(map('a_map', 8), map('a_map', 9));
  assert.equal(map('a/b%"\n', 8), 'map/hash/k4/v8/n16/f0/btf0.0.0/a%2Fb%25%22%0A');
  const lists = { mapIds: [], jitedFuncLens: [], progTags: [] };
  const program = (loaded: bigint) =>
    fingerprintOf(
      parseProgramInfo(struct(232, { 0: 6, 8: 'abcdefgh', 40: loaded, 64: 'p' }), lists, {
        fdInfo: noFdInfo,
        boot: { epochMs: 0 },
      }),
    );
  assert.equal(program(12n), 'program/xdp/6162636465666768/t12/p');
  assert.notEqual(program(12n), program(13n));
  const tcx = (ifindex: number) =>
    fingerprintOf(parseLinkInfo(struct(64, { 0: 11, 8: 5, 16: ifindex, 20: 46 }), {}, noFdInfo));
  assert.equal(tcx(3), 'link/tcx/p5/tcx_ingress.ifindex3');
  assert.notEqual(tcx(3), tcx(4));
  assert.equal(
    fingerprintOf(parseBtfInfo(struct(32, { 8: 412, 28: 1 }), 'nf_nat')),
    'btf/module/s412/nf_nat',
  );
});

test('any bytes and any fdinfo make a document or a RangeError, never anything else', () => {
  const { seed, int, bytes } = random(testSeed());
  const boot = { epochMs: Date.now() };
  for (let round = 0; round < 5_000; round++) {
    const info = Buffer.from(bytes(int(260)));
    if (info.length > 3 && int(4) > 0) info.writeUInt32LE(int(40), 0);
    const fdInfo = parseFdInfo(
      Buffer.from(bytes(int(300)))
        .toString('latin1')
        .replaceAll('\x07', 'frozen:\t1\n'),
    );
    const texts = int(2) === 0 ? {} : { name: Buffer.from(bytes(int(20))).toString('utf8'), addrs: [1n] };
    const lists = { mapIds: [1], jitedFuncLens: [], progTags: [] };
    for (const parse of [
      () => parseMapInfo(info, fdInfo),
      () => parseProgramInfo(info, lists, { fdInfo, boot }),
      () => parseLinkInfo(info, texts, fdInfo),
      () => parseBtfInfo(info, texts.name ?? ''),
    ]) {
      try {
        const document = parse();
        assert.match(fingerprintOf(document), /^(map|program|link|btf)\/[\w]+\/[\w.:<>+/%-]*$/);
        assert.deepEqual(JSON.parse(JSON.stringify(document)), document);
      } catch (error) {
        assert.ok(error instanceof RangeError, `seed ${seed}, round ${round}: ${String(error)}`);
      }
    }
  }
});
