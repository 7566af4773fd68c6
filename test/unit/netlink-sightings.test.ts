import assert from 'node:assert/strict';
import test from 'node:test';
import { mergeSightings, type Sighting } from '../../src/kernel/attachment/sighting.ts';
import { linkAttachments } from '../../src/kernel/holder/links.ts';
import { typeNumber } from '../../src/kernel/object/names.ts';
import type { AttachmentFact } from '../../src/model/holder/facts.ts';

const object = { kind: 'program', id: 7 } as const;
const cgroup = { id: 30 };
const place = { kind: 'cgroup', object, attachType: 'cgroup_inet_egress', cgroup } as const;

test('a program attached by a link and directly is told twice, and the link once', () => {
  const byLink: AttachmentFact = { ...place, link: 4 };
  const seen: Sighting = { ...place, cgroup: { id: 30, path: '/a' }, flags: ['multi'] };
  assert.deepEqual(mergeSightings([byLink], [seen, seen]), [{ ...seen, link: 4 }, seen]);
});

test('the same program in another group, or at another place of it, is no link’s', () => {
  const byLink: AttachmentFact = { ...place, link: 4 };
  const elsewhere: Sighting = { ...place, cgroup: { id: 31 } };
  const otherWay: Sighting = { ...place, attachType: 'cgroup_inet_ingress' };
  const otherProgram: Sighting = { ...place, object: { kind: 'program', id: 8 } };
  const seen = [elsewhere, otherWay, otherProgram];
  assert.deepEqual(mergeSightings([byLink], seen), [byLink, ...seen]);
});

test('a sighting that names its link belongs to that one alone, and link 0 is none', () => {
  const tcx = { kind: 'tcx', object, attachType: 'ingress', device: { ifindex: 2 } } as const;
  const links: AttachmentFact[] = [
    { ...tcx, link: 4 },
    { ...tcx, link: 5 },
  ];
  const netns = { inode: 9 };
  const seen: Sighting[] = [
    { ...tcx, netns, link: 5 },
    { ...tcx, netns, link: 0 },
    { ...tcx, netns, link: 6 },
  ];
  assert.deepEqual(mergeSightings(links, seen), [
    { ...tcx, link: 4 },
    { ...tcx, netns, link: 5 },
    { ...tcx, netns },
    { ...tcx, netns, link: 6 },
  ]);
});

test('a netkit device tells at which end a program is, and a link the same in other words', () => {
  // BPF_NETKIT_PRIMARY and BPF_NETKIT_PEER of enum bpf_attach_type (Linux 6.7).
  assert.deepEqual(
    ['netkit_primary', 'netkit_peer'].map((name) => typeNumber('attach', name)),
    [54, 55],
  );
  const links = ['netkit_primary', 'netkit_peer'].map((attachType, index) => ({
    id: 4 + index,
    type: 'netkit',
    programId: object.id,
    detail: { ifindex: 2, attach_type: attachType },
  }));
  const seen = ['primary', 'peer'].map((attachType, index): Sighting => {
    return { kind: 'netkit', object, attachType, device: { ifindex: 2, name: 'nk0' }, link: 4 + index };
  });
  assert.deepEqual(mergeSightings(linkAttachments(links), seen), seen);
  // Without a link the place itself holds the program.
  const bare = { ...seen[0], kind: 'netkit', object, link: 0 } as const;
  const { link: _, ...held } = bare;
  assert.deepEqual(mergeSightings([], [bare]), [held]);
});

test('the mode of XDP, which links do not tell, comes from the device', () => {
  const xdp = { kind: 'xdp', object, device: { ifindex: 3 } } as const;
  const seen: Sighting = {
    ...xdp,
    attachType: 'generic',
    device: { ifindex: 3, name: 'eth0' },
    netns: { inode: 9 },
  };
  assert.deepEqual(mergeSightings([{ ...xdp, link: 4 }], [seen]), [{ ...seen, link: 4 }]);
});
