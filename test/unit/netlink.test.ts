import assert from 'node:assert/strict';
import test from 'node:test';
import { parseDevice } from '../../src/kernel/netlink/devices.ts';
import { parseActions, parseFilter } from '../../src/kernel/netlink/filters.ts';
import { attribute, dumpRequest, parseAnswer, parseAttributes } from '../../src/kernel/netlink/message.ts';
import { random, testSeed } from '../support/seed.ts';

const { int, bytes: randomBytes } = random(testSeed());

/** struct nlmsghdr and what follows, laid out from include/uapi/linux/netlink.h. */
function message(type: number, body: Buffer, { flags = 2, sequence = 7 } = {}): Buffer {
  const header = Buffer.alloc(16);
  header.writeUInt32LE(16 + body.length, 0);
  header.writeUInt16LE(type, 4);
  header.writeUInt16LE(flags, 6);
  header.writeUInt32LE(sequence, 8);
  return Buffer.concat([header, body, Buffer.alloc(-body.length & 3)]);
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function text(value: string): Buffer {
  return Buffer.from(`${value}\0`, 'latin1');
}

/** struct tcmsg: family, index, handle, parent, info. */
function tcMessage(ifindex: number, handle: number, parent: number, info = 0): Buffer {
  return Buffer.concat([Buffer.alloc(4), u32(ifindex), u32(handle), u32(parent >>> 0), u32(info)]);
}

const NESTED = 0x8000;

test('a datagram is cut into messages, and what another request asked for is passed over', () => {
  const datagram = Buffer.concat([
    message(16, Buffer.from('abcde')),
    message(16, Buffer.from('others'), { sequence: 8 }),
    message(16, Buffer.from('fgh'), { flags: 0x12 }),
    message(3, u32(0)),
  ]);
  const answer = parseAnswer(datagram, 7);
  assert.deepEqual(
    answer.messages.map(({ body }) => body.toString()),
    ['abcde', 'fgh'],
  );
  assert.deepEqual([answer.isDone, answer.isInterrupted, answer.errno], [true, true, undefined]);
});

test('a refusal carries its errno, and an acknowledgement none', () => {
  assert.equal(parseAnswer(message(2, u32(-95 >>> 0)), 7).errno, 95);
  const acknowledgement = parseAnswer(message(2, u32(0)), 7);
  assert.deepEqual([acknowledgement.errno, acknowledgement.isDone], [undefined, true]);
});

test('a request to dump has the length, the flags and the sequence the kernel wants', () => {
  const request = dumpRequest(38, 5, Buffer.alloc(20));
  assert.equal(request.length, 36);
  assert.deepEqual(
    [request.readUInt32LE(0), request.readUInt16LE(4), request.readUInt16LE(6), request.readUInt32LE(8)],
    [36, 38, 0x301, 5],
  );
});

test('attributes are padded to four bytes and found by their type without its flags', () => {
  const bytes = Buffer.concat([attribute(1 | NESTED, Buffer.from('abcde')), attribute(2, u32(9))]);
  assert.equal(bytes.length, 20);
  const found = parseAttributes(bytes);
  assert.equal(found.get(1)?.toString(), 'abcde');
  assert.equal(found.get(2)?.readUInt32LE(0), 9);
});

test('every mode in which a device runs XDP is told, and before Linux 5.0 the one', () => {
  const device = (xdp: Buffer): Buffer =>
    Buffer.concat([
      Buffer.alloc(4),
      u32(3),
      Buffer.alloc(8),
      attribute(3, text('eth0')),
      attribute(43 | NESTED, xdp),
    ]);
  const several = [
    attribute(2, Buffer.from([4])),
    attribute(5, u32(11)),
    attribute(6, u32(12)),
    attribute(7, u32(13)),
  ];
  assert.deepEqual(parseDevice(device(Buffer.concat(several))), {
    ifindex: 3,
    name: 'eth0',
    xdp: [
      { mode: 'driver', programId: 11 },
      { mode: 'generic', programId: 12 },
      { mode: 'offload', programId: 13 },
    ],
  });
  const old = Buffer.concat([attribute(2, Buffer.from([2])), attribute(4, u32(14))]);
  assert.deepEqual(parseDevice(device(old))?.xdp, [{ mode: 'generic', programId: 14 }]);
  assert.deepEqual(parseDevice(device(attribute(2, Buffer.from([0]))))?.xdp, []);
});

test('a filter is told with its place, and one of another kind or of classic BPF is not', () => {
  const filter = (kind: string, options: Buffer): Buffer =>
    Buffer.concat([
      tcMessage(2, 1, 0xfffffff2, (49152 << 16) >>> 0),
      attribute(1, text(kind)),
      attribute(2 | NESTED, options),
    ]);
  const options = Buffer.concat([attribute(7, text('pf')), attribute(8, u32(1)), attribute(11, u32(77))]);
  assert.deepEqual(parseFilter({ type: 44, body: filter('bpf', options) }, 0), {
    programId: 77,
    ifindex: 2,
    parent: 0xfffffff2,
    where: 'ingress',
    preference: 49152,
    handle: 1,
    isDirectAction: true,
  });
  assert.equal(parseFilter({ type: 44, body: filter('u32', options) }, 0), undefined);
  assert.equal(parseFilter({ type: 44, body: filter('bpf', attribute(7, text('classic'))) }, 0), undefined);
});

test('actions of act_bpf are told by program and index, and other actions are not', () => {
  // tcf_action_dump numbers the nests from 1 (net/sched/act_api.c); struct tc_act_bpf begins with the index.
  const parms = (index: number): Buffer => attribute(2, Buffer.concat([u32(index), Buffer.alloc(16)]));
  const action = (kind: string, ...options: readonly Buffer[]): Buffer =>
    Buffer.concat([attribute(1, text(kind)), attribute(2 | NESTED, Buffer.concat(options))]);
  const table = Buffer.concat([
    attribute(1 | NESTED, action('bpf', parms(5), attribute(6, text('pf')), attribute(9, u32(88)))),
    attribute(2 | NESTED, action('gact', parms(6), attribute(9, u32(1)))),
    attribute(3 | NESTED, action('bpf', parms(7), attribute(6, text('classic')))),
  ]);
  const body = Buffer.concat([Buffer.alloc(4), attribute(1 | NESTED, table)]);
  assert.deepEqual(parseActions({ type: 48, body }), [{ programId: 88, index: 5 }]);
});

test('bytes that are no netlink are left out, never read past', () => {
  for (let round = 0; round < 2_000; round++) {
    const bytes = Buffer.from(randomBytes(int(97)));
    assert.doesNotThrow(() => {
      for (const { type, body } of parseAnswer(bytes, 7).messages) parseFilter({ type, body }, 0);
      parseAttributes(bytes);
      parseDevice(bytes);
      parseFilter({ type: 44, body: bytes }, 0);
      parseActions({ type: 48, body: bytes });
    });
  }
});
