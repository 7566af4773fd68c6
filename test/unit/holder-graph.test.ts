import assert from 'node:assert/strict';
import test from 'node:test';
import { accountOf, unexplainedOf } from '../../src/model/holder/account.ts';
import { holderGraph, whyDocument } from '../../src/model/holder/document.ts';
import type { FileFact, ObjectKey, ProcessFact } from '../../src/model/holder/facts.ts';
import { objectsHeldBy, parseHeldBy } from '../../src/model/holder/held-by.ts';
import { limits } from '../../src/model/limits.ts';
import { at, facts, reading } from '../support/holder-facts.ts';

const map: ObjectKey = { kind: 'map', id: 5 };
const program: ObjectKey = { kind: 'program', id: 12 };
const link: ObjectKey = { kind: 'link', id: 3 };
const jumps: ObjectKey = { kind: 'map', id: 9 };

function pin(object: ObjectKey, path: string, inode: number, mount = '0:39') {
  return { mount, path: at(path), inode, object };
}

function file(object: ObjectKey, name: string, descriptors: FileFact['descriptors']): FileFact {
  return { file: name, object, through: 'object', descriptors, mappings: [] };
}

function processes(...each: readonly (Partial<ProcessFact> & { readonly pid: number })[]) {
  return new Map(each.map((one) => [one.pid, { startTime: 1, comm: 'bird', cgroup: '/', ...one }]));
}

test('hard links are one reference, a second pin is another, and a name twice is no third', () => {
  const given = { pins: [pin(map, 'a', 1), pin(map, 'b', 1), pin(map, 'c', 2)] };
  const graph = holderGraph(reading(map, given, { 'map:5': { refcnt: 2, usercnt: 2 } }));
  assert.deepEqual(
    graph.nodes.flatMap((node) => (node.node === 'pin' ? [node.names.map(({ path }) => path)] : [])),
    [['a', 'b'], ['c']],
  );
  assert.equal(graph.references.pins, 2);
  assert.equal(graph.references.unexplained, 0);
});

test('descriptors of one open file are one reference, shown with every process that has it', () => {
  const shared = file(map, 'f1', [
    { pid: 7, fd: 3 },
    { pid: 7, fd: 4 },
    { pid: 8, fd: 3 },
  ]);
  const given = { files: [shared], processes: processes({ pid: 7 }, { pid: 8 }) };
  const graph = holderGraph(reading(map, given, { 'map:5': { refcnt: 1, usercnt: 1 } }));
  assert.equal(graph.references.fds, 1);
  assert.equal(graph.references.unexplained, 0);
  assert.equal(graph.edges.filter(({ hold }) => hold === 'open').length, 3);
});

test('an unlinked pin that is open three times is one reference', () => {
  const opened = { mount: '0:39', inode: 4, object: map, path: '/sys/fs/bpf/x' };
  const given = { openInodes: [3, 4, 5].map((fd) => ({ ...opened, pid: 7, fd })) };
  const { references } = holderGraph(reading(map, given, { 'map:5': { refcnt: 1, usercnt: 1 } }));
  assert.deepEqual([references.fds, references.pins, references.unexplained], [1, 0, 0]);
});

test('an open inode whose name is there after all counts as that pin only', () => {
  const given = {
    pins: [pin(map, 'x', 4)],
    openInodes: [{ mount: '0:39', inode: 4, object: map, path: '/x', pid: 7, fd: 3 }],
  };
  const { references } = holderGraph(reading(map, given, { 'map:5': { refcnt: 1, usercnt: 1 } }));
  assert.deepEqual([references.fds, references.pins, references.unexplained], [0, 1, 0]);
});

test('user references and references of the kernel are accounted for apart', () => {
  const given = {
    pins: [pin(map, 'a', 1)],
    holds: [{ holder: program, held: map, hold: 'uses' as const }],
  };
  const graph = holderGraph(reading(map, given, { 'map:5': { refcnt: 6, usercnt: 3 } }));
  assert.deepEqual(graph.unexplained, { users: 2, kernel: 2 });
  assert.equal(graph.references.unexplained, 4);
});

test('a link that iterates over a map is a user reference of it', () => {
  const given = { holds: [{ holder: link, held: map, hold: 'target' as const, isUser: true }] };
  const graph = holderGraph(reading(map, given, { 'map:5': { refcnt: 1, usercnt: 1 } }));
  assert.deepEqual(graph.unexplained, { users: 0, kernel: 0 });
});

test('more holders than references are never shown as less than nothing', () => {
  const { holders } = reading(map, { pins: [pin(map, 'a', 1), pin(map, 'b', 2)] });
  const account = accountOf(holders.of(map));
  const found = unexplainedOf('map', account, { refcnt: 1n, usercnt: 1n });
  assert.deepEqual(found, { users: 0, kernel: 0, isSettled: false });
});

test('of programs nothing is called unexplained, whatever the kernel counts', () => {
  const graph = holderGraph(
    reading(program, { pins: [pin(program, 'p', 1)] }, { 'program:12': { refcnt: 9 } }),
  );
  assert.equal(graph.unexplained, undefined);
  assert.equal(graph.references.unexplained, undefined);
  assert.equal(graph.references.refcnt, 9);
});

test('an attachment by a link is held by the link and holds nothing', () => {
  const given = {
    holds: [{ holder: link, held: program, hold: 'runs' as const }],
    attachments: [{ kind: 'tcx' as const, object: program, link: 3, device: { ifindex: 2, name: 'eth0' } }],
  };
  const graph = holderGraph(reading(program, given));
  assert.equal(graph.references.attachments, 0);
  assert.equal(graph.references.links, 1);
  const [node] = graph.nodes.filter(({ key }) => key === 'link:3');
  assert.equal(node?.node === 'object' && node.attached_to?.[0]?.text, 'tcx of eth0');
});

test('objects that hold each other are drawn once and end', () => {
  const given = {
    pins: [pin(jumps, 'j', 1)],
    holds: [
      { holder: program, held: jumps, hold: 'uses' as const },
      { holder: jumps, held: program, hold: 'slot' as const, key: '0' },
    ],
  };
  const why = whyDocument(
    reading(jumps, given, {
      'map:9': { refcnt: 2, usercnt: 1, type: 'prog_array', name: 'jmp' },
      'program:12': { refcnt: 1 },
    }),
  );
  assert.equal(why.nodes.filter(({ node }) => node === 'object').length, 2);
  assert.deepEqual(why.if_unpinned[0]?.hazards, ['prog_array_emptied']);
  assert.deepEqual(
    why.if_unpinned[0]?.freed.map(({ id }) => id).toSorted((one, other) => one - other),
    [9, 12],
  );
});

test('a graph is cut at its limit and says by how much', () => {
  const pins = Array.from({ length: limits.holderNodesMax }, (_, index) => pin(map, `p${index}`, index + 1));
  const whole = holderGraph(reading(map, { pins: pins.slice(1) }));
  assert.equal(whole.nodes.length, limits.holderNodesMax);
  assert.equal(whole.nodes_left_out, undefined);
  const cut = holderGraph(reading(map, { pins }));
  assert.equal(cut.nodes.length, limits.holderNodesMax);
  assert.equal(cut.nodes_left_out, 1);
  assert.equal(cut.references.pins, limits.holderNodesMax);
  const keys = new Set(cut.nodes.map(({ key }) => key));
  assert.ok(cut.edges.every(({ holder, held }) => keys.has(holder) && keys.has(held)));
});

test('what a process holds is found by pid, name, unit, container and pod, and by nothing like them', () => {
  const container = 'c0ffee'.padEnd(64, '1');
  const given = facts({
    files: [file(map, 'f', [{ pid: 7, fd: 3 }]), file(jumps, 'g', [{ pid: 8, fd: 3 }])],
    processes: processes(
      { pid: 7, comm: 'bird', cgroup: '/system.slice/bird.service' },
      { pid: 8, comm: 'birdy', cgroup: `/kubepods/pod${'ab'.repeat(16)}/${container}` },
    ),
  });
  const held = (text: string) => objectsHeldBy(given, parseHeldBy(text)).map(({ id }) => id);
  assert.deepEqual(held('pid:7'), [5]);
  assert.deepEqual(held('comm:bird'), [5]);
  assert.deepEqual(held('unit:bird.service'), [5]);
  assert.deepEqual(held(`container:${container.slice(0, 12)}`), [9]);
  assert.deepEqual(held(`container:${container.slice(0, 11)}`), []);
  assert.deepEqual(held(`pod:${'ab'.repeat(16)}`), [9]);
  assert.deepEqual(held('unit:bird'), []);
  for (const bad of ['7', 'pid:', 'pid:x', 'pid:0', 'user:root', ':x']) {
    assert.throws(() => parseHeldBy(bad), { code: 'invalid_input' }, bad);
  }
});

test('consequences are told of so many pins and no more, those of the object itself first', () => {
  const most = limits.consequencesMax;
  const pins = Array.from({ length: most - 1 }, (_, index) => pin(map, `p${index}`, index + 1));
  const above = { holds: [{ holder: program, held: map, hold: 'uses' as const }] };
  const given = { ...above, pins: [pin(program, 'above', 9000), ...pins] };
  const whole = whyDocument(reading(map, given));
  assert.deepEqual([whole.if_unpinned.length, whole.if_unpinned.at(-1)?.path], [most, 'above']);
  assert.equal(whole.if_unpinned_left_out, undefined);
  assert.ok(!whole.sentences.some((sentence) => sentence.includes('not worked out')));
  const cut = whyDocument(reading(map, { ...given, pins: [...given.pins, pin(map, 'more', 8000)] }));
  assert.deepEqual([cut.if_unpinned.length, cut.if_unpinned.at(-1)?.path], [most, 'more']);
  assert.equal(cut.if_unpinned_left_out, 1);
  assert.ok(cut.sentences.includes('What it would cost to unpin 1 more pin was not worked out.'));
});

test('a list of one node and the edges of a graph are cut, and what is left out is said', () => {
  const over = limits.holderMembersMax + 7;
  const descriptors = Array.from({ length: over }, (_, fd) => ({ pid: 7, fd }));
  const slots = Array.from({ length: limits.holderEdgesMax }, (_, slot) => ({
    holder: jumps,
    held: program,
    hold: 'slot' as const,
    key: String(slot),
  }));
  const given = {
    files: [file(program, 'f1', descriptors)],
    pins: Array.from({ length: over }, (_, name) => pin(program, `p${name}`, 1)),
    holds: slots,
    processes: processes({ pid: 7 }),
  };
  const graph = holderGraph(reading(program, given, {}));
  const cut = graph.nodes.flatMap((node) => ('left_out' in node ? [[node.node, node.left_out]] : []));
  assert.deepEqual(cut.toSorted(), [
    ['file', 7],
    ['pin', 7],
  ]);
  assert.equal(graph.edges.length, limits.holderEdgesMax);
  // The pin, the file and the process that has it open.
  assert.equal(graph.edges_left_out, 3);
  assert.equal(graph.nodes_left_out, undefined);
});
