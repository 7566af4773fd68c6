import assert from 'node:assert/strict';
import test from 'node:test';
import { HeardNames } from '../../src/agent/attribution/heard-names.ts';
import { parseNameEvents } from '../../src/kernel/fanotify/name-event.ts';
import { limits } from '../../src/model/limits.ts';

const writer = { pid: 1 };

test('what was heard of a name is known in that pass and the next, and no longer', () => {
  const names = new HeardNames();
  names.add('1/a', { mask: 0x100, writer });
  names.begin();
  names.add('1/a', { mask: 0x200, writer });
  assert.deepEqual(
    names.of('1/a').map(({ mask }) => mask),
    [0x100, 0x200],
  );
  names.begin();
  assert.deepEqual(
    names.of('1/a').map(({ mask }) => mask),
    [0x200],
  );
  assert.equal(names.isQuiet, false);
  names.begin();
  assert.deepEqual(names.of('1/a'), []);
  assert.equal(names.isQuiet, true);
});

test('as much as the limit is remembered; with one more, nothing is known until it is long over', () => {
  const names = new HeardNames();
  for (let index = 0; index < limits.nameEventsMax; index += 1) names.add(`1/${index}`, { mask: 4, writer });
  assert.equal(names.of('1/0').length, 1);
  assert.equal(names.of(`1/${limits.nameEventsMax - 1}`).length, 1);
  names.add('1/last', { mask: 4, writer });
  assert.deepEqual(names.of('1/0'), []);
  names.begin();
  names.add('1/next', { mask: 4, writer });
  assert.deepEqual(names.of('1/next'), [], 'what came with it may not be all');
  names.begin();
  names.add('1/later', { mask: 4, writer });
  assert.equal(names.of('1/later').length, 1);
});

/** The event of `mkdir d` in a bpffs of number 0:39, as a program in C read it on Linux 6.18. */
const recorded = Buffer.from(
  [
    '44000000', // event_len
    '03001800', // vers, reserved, metadata_len
    '0001004000000000', // mask: FAN_CREATE | FAN_ONDIR
    'ffffffff', // fd
    '8d6b0000', // pid
    '020024002700000000000000', // FAN_EVENT_INFO_TYPE_DFID_NAME, its length, fsid
    '0c000000810000000100000000000000', // handle_bytes, handle_type, inode
    '0000000064000000', // generation, name
    '0400080006000000', // FAN_EVENT_INFO_TYPE_PIDFD
  ].join(''),
  'hex',
);

test('an event is parsed with its directory, its name and whoever did it', () => {
  const event = { mask: 0x40000100, pid: 27_533, pidfd: 6, mount: '0:39', inode: 1, name: 'd' };
  assert.deepEqual(parseNameEvents(Buffer.concat([recorded, recorded])), [event, event]);
  const overflow = recorded.subarray(0, 24);
  overflow.writeUInt32LE(24, 0);
  overflow.writeUInt32LE(0x4000, 8);
  assert.deepEqual(parseNameEvents(overflow), ['overflow']);
});
