import assert from 'node:assert/strict';
import test from 'node:test';
import { isPrintable } from '../../src/model/escape.ts';
import { whyDocument } from '../../src/model/holder/document.ts';
import type { HolderFacts, ObjectKey } from '../../src/model/holder/facts.ts';
import { at, reading, type Told } from '../support/holder-facts.ts';

const map: ObjectKey = { kind: 'map', id: 5 };
const program: ObjectKey = { kind: 'program', id: 12 };
const link: ObjectKey = { kind: 'link', id: 3 };

function sentences(object: ObjectKey, given: Partial<HolderFacts>, told: Record<string, Told>) {
  return whyDocument(reading(object, given, told)).sentences;
}

const bird = new Map([[812, { pid: 812, startTime: 1, comm: 'bird', cgroup: '/system.slice/bird.service' }]]);

test('a map says its pins, the program that uses it, the process, and that a pin may go', () => {
  const told = sentences(
    map,
    {
      processes: bird,
      pins: [
        { mount: '0:39', path: at('tc/globals/acl'), inode: 1, object: map },
        { mount: '0:39', path: at('x/y'), inode: 2, object: map },
      ],
      files: [
        { file: 'f', object: map, through: 'object', descriptors: [{ pid: 812, fd: 7 }], mappings: [] },
      ],
      holds: [{ holder: program, held: map, hold: 'uses' }],
      attachments: [
        {
          kind: 'tc',
          object: program,
          attachType: 'ingress',
          device: { ifindex: 2, name: 'eth0' },
          netns: { inode: 4026531840 },
        },
      ],
    },
    {
      'map:5': { type: 'hash', name: 'acl', refcnt: 4, usercnt: 3 },
      'program:12': { type: 'sched_cls', name: 'ingress', refcnt: 1 },
    },
  );
  assert.deepEqual(told, [
    'map 5 `acl` is alive because 2 pins (tc/globals/acl and x/y), program 12 `ingress` (attached: tc ' +
      'ingress of eth0 in netns 4026531840) and fd 7 of pid 812 `bird` (bird.service) hold it; if you ' +
      'unpin tc/globals/acl or x/y nothing is lost.',
  ]);
});

test('the last pin of a link says that the program would stop and what would be freed', () => {
  const given: Partial<HolderFacts> = {
    pins: [{ mount: '0:39', path: at('l'), inode: 1, object: link }],
    holds: [
      { holder: link, held: program, hold: 'runs' },
      { holder: program, held: map, hold: 'uses' },
    ],
    attachments: [{ kind: 'cgroup', object: program, link: 3, cgroup: { id: 7, path: '/a b' } }],
  };
  const told = {
    'map:5': { type: 'hash', refcnt: 1, usercnt: 0 },
    'program:12': { type: 'cgroup_skb', refcnt: 1 },
    'link:3': { type: 'cgroup', refcnt: 1 },
  };
  assert.deepEqual(sentences(map, given, told), [
    'map 5 of type hash is alive because program 12 of type cgroup_skb (held by link 3 of type ' +
      'cgroup (attached: cgroup of cgroup `/a b`; held by pin l)) holds it.',
    'If you unpin l, link 3 of type cgroup is detached and program 12 of type cgroup_skb and map 5 ' +
      'of type hash are freed.',
  ]);
  assert.match(
    sentences(link, given, told)[0] ?? '',
    /pin l holds it; if you unpin l, link 3 .* is detached/,
  );
});

test('pins that would cost different things are told of one by one', () => {
  const told = sentences(
    map,
    {
      pins: [
        { mount: '0:39', path: at('a'), inode: 1, object: map },
        { mount: '0:39', path: at('b'), inode: 1, object: map },
        { mount: '0:40', path: at('c'), inode: 2, object: map },
      ],
    },
    { 'map:5': { type: 'hash', name: 'm', refcnt: 2, usercnt: 2 } },
  );
  assert.match(
    told[0] ?? '',
    /^map 5 `m` is alive because pin a \(hard link: b\) and pin c in bpffs 0:40 hold/,
  );
});

test('what nobody shows is said, with what it may be', () => {
  const told = sentences(map, {}, { 'map:5': { type: 'hash', refcnt: 2, usercnt: 1 } });
  assert.equal(told[0], 'Nothing that can be seen holds map 5 of type hash; the kernel counts 2 references.');
  assert.match(told[1] ?? '', /counts 1 reference from user space that nobody shows/);
  assert.match(told[2] ?? '', /counts 1 reference of a kind that cannot be enumerated/);
});

test('a program with more references than holders is not said to be freed for sure', () => {
  const given: Partial<HolderFacts> = {
    pins: [{ mount: '0:39', path: at('p'), inode: 1, object: program }],
    holds: [{ holder: program, held: map, hold: 'uses' }],
  };
  const counts = { 'map:5': { refcnt: 1, usercnt: 0 }, 'program:12': { refcnt: 2 } };
  assert.match(sentences(map, given, counts)[1] ?? '', /^If you unpin p, program 12 and map 5 may be freed/);
  const alone = { ...counts, 'program:12': { refcnt: 1 } };
  assert.match(sentences(map, given, alone)[1] ?? '', /^If you unpin p, program 12 and map 5 are freed/);
});

test('one open file that many processes have is spoken of in the plural', () => {
  const opened = (count: number) => ({
    file: 'f',
    object: map,
    through: 'object' as const,
    descriptors: Array.from({ length: count }, (_, index) => ({ pid: 900 + index, fd: 3 })),
    mappings: [],
  });
  const told = (count: number) =>
    sentences(map, { files: [opened(count)] }, { 'map:5': { refcnt: 1, usercnt: 1 } })[0] ?? '';
  assert.match(told(1), /because fd 3 of pid 900 holds it\.$/);
  assert.match(told(2), /because fd 3 of pid 900 and fd 3 of pid 901 hold it\.$/);
  assert.match(told(9), /fd 3 of pid 902 and 6 more hold it\.$/);
});

test('a detached bpffs is named with who keeps it', () => {
  const told = sentences(
    map,
    {
      processes: bird,
      pins: [{ mount: '0:51', path: at('m'), inode: 1, object: map }],
      filesystems: [{ mount: '0:51', state: 'detached', paths: [], descriptors: [{ pid: 812, fd: 5 }] }],
    },
    { 'map:5': { refcnt: 1, usercnt: 1 } },
  );
  assert.match(
    told[0] ?? '',
    /pin m in bpffs 0:51, which is mounted nowhere, kept by fd 5 of pid 812 `bird` \(.*\) holds it/,
  );
});

test('names that would forge a sentence or move the cursor are escaped', () => {
  const comm = 'x` (root.service\u001b[2K\r';
  const told = sentences(
    map,
    {
      processes: new Map([[7, { pid: 7, startTime: 1, comm, cgroup: '/a\u202e.service' }]]),
      files: [{ file: 'f', object: map, through: 'object', descriptors: [{ pid: 7, fd: 3 }], mappings: [] }],
      pins: [{ mount: '0:39', path: at('a, b and `c`\n'), inode: 1, object: map }],
      attachments: [{ kind: 'tc', object: map, device: { ifindex: 1, name: 'e\u0007' } }],
    },
    { 'map:5': { name: 'm\u009b1m', refcnt: 3, usercnt: 2 } },
  );
  assert.ok(told.length > 0);
  for (const sentence of told) {
    assert.ok(isPrintable(sentence.replaceAll('\\', '')), sentence);
    assert.equal((sentence.match(/`/g) ?? []).length % 2, 0, sentence);
  }
  assert.match(told[0] ?? '', /`x\\x60 \(root\.service\\x1b\[2K\\x0d`/);
  assert.match(told[0] ?? '', /pin `a, b and \\x60c\\x60\\x0a`/);
});
