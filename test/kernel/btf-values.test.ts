import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import test from 'node:test';
import { getObject, openObjectById } from '../../src/kernel/bpf/objects.ts';
import { compileCodec, type ValueCodec } from '../../src/kernel/btf/codec/compile.ts';
import { JsonText } from '../../src/kernel/btf/codec/json-text.ts';
import { parseBtf } from '../../src/kernel/btf/parse.ts';
import { renderJson } from '../../src/kernel/btf/render/json.ts';
import { readBtfBlob } from '../../src/kernel/object/btf-blob.ts';
import { readMapInfo } from '../../src/kernel/object/map-info.ts';
import { FdTable } from '../../src/kernel/sys/fd.ts';
import type { Json } from '../../src/model/json.ts';
import type { MapInfo } from '../../src/model/schema/map-info.ts';
import { mountBpffs } from '../support/bpffs.ts';
import { bpftool, lookupEntry, updateEntry } from '../support/bpftool.ts';
import { dumpBtfJson } from '../support/btf-dump.ts';
import { compileBpf, compileC } from '../support/c-program.ts';
import { forFile } from '../support/disposal.ts';

/** What the C program wrote, as it says so itself. */
interface Written {
  readonly pin: string;
  readonly key: Json;
  readonly value: Json;
}

const bpffs = forFile(mountBpffs());
const fds = new FdTable();
const lines = execFileSync(compileC('btf-shapes'), [compileBpf('btf-shapes'), bpffs.path], {
  encoding: 'utf8',
});
const written = lines
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Written);

/** The first entry of a map as bytes, read by bpftool; its own decoding behind them is not always JSON. */
function firstEntry(path: string): { readonly key: Buffer; readonly value: Buffer } {
  const text = execFileSync('bpftool', ['-j', 'map', 'dump', 'pinned', path], { encoding: 'utf8' });
  const [, key = '', value = ''] = /"key":\[(.*?)\],"value":\[(.*?)\]/.exec(text) ?? [];
  const bytes = (hex: string) => Buffer.from(hex.replaceAll(/"0x|[",]/g, ''), 'hex');
  return { key: bytes(key), value: bytes(value) };
}

function blobOf(btfId: number): Buffer {
  using fd = openObjectById('btf', btfId, fds);
  return readBtfBlob(fd);
}

interface Codecs {
  readonly info: MapInfo;
  /** Undefined for data sections, whose only key is 0. */
  readonly key: ValueCodec | undefined;
  readonly value: ValueCodec;
}

function codecsOf(path: string): Codecs {
  using map = getObject(path, 'read-only', fds);
  const info = readMapInfo(map);
  const btf = parseBtf(blobOf(info.btf_id ?? 0));
  const key = info.btf_key_type_id ? compileCodec(btf, info.btf_key_type_id, info.key_size) : undefined;
  return { info, key, value: compileCodec(btf, info.btf_value_type_id ?? 0, info.value_size) };
}

function jsonOf(codec: ValueCodec, bytes: Buffer): unknown {
  const text = new JsonText();
  codec.writeJson(bytes, 0, text);
  return JSON.parse(text.view().toString());
}

for (const { pin, key, value } of written) {
  const path = `${bpffs.path}/${pin}`;

  test(`${pin}: what a C program wrote through libbpf is what is decoded`, () => {
    const codecs = codecsOf(path);
    const bytes = firstEntry(path);
    const decoded = codecs.value.decode(bytes.value);
    if (pin === 'kconfig') {
      const { LINUX_KERNEL_VERSION: version } = decoded as { LINUX_KERNEL_VERSION: number };
      const [major, minor] = execFileSync('uname', ['-r'], { encoding: 'utf8' }).split('.').map(Number);
      assert.deepEqual([version >> 16, (version >> 8) & 0xff], [major, minor]);
    } else {
      assert.deepEqual(decoded, value);
    }
    assert.deepEqual(jsonOf(codecs.value, bytes.value), decoded);
    if (codecs.key === undefined) return;
    assert.deepEqual(codecs.key.decode(bytes.key), key);
    assert.deepEqual(codecs.key.encode(key), bytes.key);
  });

  test(`${pin}: encoding what was decoded gives the bytes again, all but padding`, () => {
    const codec = codecsOf(path).value;
    const { value: bytes } = firstEntry(path);
    const mask = codec.mask();
    const meaningful = bytes.map((byte, index) => byte & (mask[index] ?? 0));
    assert.deepEqual(codec.encode(codec.decode(bytes)), Buffer.from(meaningful));
  });
}

test('a value encoded here is what bpftool finds in the map, and what the kernel keeps is left alone', () => {
  const path = `${bpffs.path}/owned`;
  const { value: codec } = codecsOf(path);
  const zero = Buffer.alloc(4);
  updateEntry(path, zero, codec.encode({ before: 1, after: 2 }));
  const stored = lookupEntry(path, zero);
  assert.ok(stored);
  assert.deepEqual(codec.decode(Buffer.from(stored)), {
    before: 1,
    lock: { __kernel: 'bpf_spin_lock' },
    timer: { __kernel: 'bpf_timer' },
    head: { __kernel: 'bpf_list_head' },
    after: 2,
  });
});

test('the blob of a BTF object has the types bpftool lists', () => {
  const { info } = codecsOf(`${bpffs.path}/shapes`);
  const text = [...renderJson(parseBtf(blobOf(info.btf_id ?? 0)))].join('');
  assert.equal(text, dumpBtfJson('id', String(info.btf_id)));
});

test('the blob of the kernel’s own BTF is what sysfs shows', () => {
  const vmlinux = bpftool<{ id: number; name?: string }[]>('btf', 'show').find(
    ({ name }) => name === 'vmlinux',
  );
  assert.ok(vmlinux);
  const shown = execFileSync('cat', ['/sys/kernel/btf/vmlinux'], { maxBuffer: 1 << 28 });
  assert.ok(blobOf(vmlinux.id).equals(shown));
});

test('no descriptor is left open', () => {
  assert.deepEqual([...fds.list()], []);
});
