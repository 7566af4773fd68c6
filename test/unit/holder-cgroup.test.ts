import assert from 'node:assert/strict';
import test from 'node:test';
import { ownerOfCgroup } from '../../src/model/holder/cgroup.ts';

const id = '3f2a9c'.padEnd(64, '0');
const uid = '8d0c2c2e-9a8e-4c7f-b1a0-5f0a7d3c9e11';
const task = '0f1e'.repeat(8);
const uidText = uid.replaceAll('-', '_');

const shapes: readonly (readonly [path: string, expected: object])[] = [
  ['/', {}],
  ['/system.slice/bird.service', { unit: 'bird.service' }],
  ['/user.slice/user-0.slice/session-3.scope', { unit: 'session-3.scope' }],
  ['/user.slice/user-7.slice/user@7.service/app.slice/app-x.scope', { unit: 'user@7.service' }],
  ['/system.slice/_memory.service', { unit: 'memory.service' }],
  ['/system.slice/dbus.socket', { unit: 'dbus.socket' }],
  [`/system.slice/docker-${id}.scope`, { unit: `docker-${id}.scope`, container: id }],
  [`/docker/${id}`, { container: id }],
  [`/machine.slice/libpod-${id}.scope/container`, { unit: `libpod-${id}.scope`, container: id }],
  [`/machine.slice/libpod-conmon-${id}.scope`, { unit: `libpod-conmon-${id}.scope` }],
  [
    `/kubepods.slice/kubepods-burstable-pod${uidText}.slice/cri-containerd-${id}.scope`,
    { unit: `cri-containerd-${id}.scope`, container: id, pod: uid },
  ],
  [
    `/kubepods.slice/kubepods-pod${uidText}.slice/crio-${id}.scope`,
    { unit: `crio-${id}.scope`, container: id, pod: uid },
  ],
  [`/kubepods/besteffort/pod${uid}/${id}`, { container: id, pod: uid }],
  [
    `/system.slice/containerd.service/kubepods-burstable-pod${uidText}.slice:cri-containerd:${id}`,
    { unit: 'containerd.service', container: id, pod: uid },
  ],
  [`/kubepods/pod${'ab'.repeat(16)}/${id}`, { container: id, pod: 'ab'.repeat(16) }],
  [`/docker/${'1'.repeat(64)}/docker/${id}`, { container: id }],
  [`/system.slice/docker-${id}.scope/system.slice/nginx.service`, { unit: 'nginx.service', container: id }],
  ['/lxc/web/init.scope', { unit: 'init.scope', container: 'web' }],
  ['/lxc.payload.web', { container: 'web' }],
  ['/machine.slice/machine-my\\x2dbox.scope', { unit: 'machine-my\\x2dbox.scope', container: 'my-box' }],
  // Machines that a unit of their own starts, and libvirt's, of which QEMU's are no containers.
  [
    '/machine.slice/systemd-nspawn@my\\x2dbox.service/payload',
    { unit: 'systemd-nspawn@my\\x2dbox.service', container: 'my-box' },
  ],
  [
    '/machine.slice/machine-lxc\\x2d7\\x2dweb.scope',
    { unit: 'machine-lxc\\x2d7\\x2dweb.scope', container: 'lxc-7-web' },
  ],
  [
    '/machine.slice/machine-qemu\\x2d7\\x2dweb.scope/libvirt/emulator',
    { unit: 'machine-qemu\\x2d7\\x2dweb.scope' },
  ],
  // Podman and CRI-O with the cgroupfs driver, podman without root and in a unit, CRI-O's monitor.
  [`/libpod_parent/libpod-${id}`, { container: id }],
  ['/libpod_parent/conmon', {}],
  [
    `/user.slice/user-7.slice/user@7.service/user.slice/libpod-${id}.scope/container`,
    { unit: 'user@7.service', container: id },
  ],
  [`/system.slice/web.service/libpod-payload-${id}`, { unit: 'web.service', container: id }],
  [`/kubepods/burstable/pod${uid}/crio-${id}`, { container: id, pod: uid }],
  [
    `/kubepods.slice/kubepods-pod${uidText}.slice/crio-conmon-${id}.scope`,
    { unit: `crio-conmon-${id}.scope`, pod: uid },
  ],
  // containerd without Kubernetes, and a node of kind, which is a container itself.
  [`/system.slice/nerdctl-${id}.scope`, { unit: `nerdctl-${id}.scope`, container: id }],
  [`/default/${id}`, { container: id }],
  [
    `/docker/${'1'.repeat(64)}/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice` +
      `/kubelet-kubepods-burstable-pod${uidText}.slice/cri-containerd-${id}.scope`,
    { unit: `cri-containerd-${id}.scope`, container: id, pod: uid },
  ],
  // Escapes belong to a unit's name; one `_` before it is the kernel's.
  [
    '/system.slice/system-vpn\\x2dclient.slice/vpn-client@my\\x2dnet.service',
    { unit: 'vpn-client@my\\x2dnet.service' },
  ],
  ['/system.slice/__odd.service', { unit: '_odd.service' }],
  [`/docker/${id.slice(1)}`, {}],
  [`/ecs/${task}/${id}`, { container: id, ecs_task: task }],
  [`/ecs/production/${uid}/${id}`, { container: id, ecs_task: uid }],
  [`/ecs/${task}/${task}-2531612879`, { container: `${task}-2531612879`, ecs_task: task }],
  [
    `/ecstasks.slice/ecstasks-${task}.slice/docker-${id}.scope`,
    { unit: `docker-${id}.scope`, container: id, ecs_task: task },
  ],
  [
    `/nomad.slice/share.slice/${uid}.web.scope`,
    { unit: `${uid}.web.scope`, nomad_task: 'web', nomad_allocation: uid },
  ],
  [`/nomad/${uid}.my.task`, { nomad_task: 'my.task', nomad_allocation: uid }],
  [`/nomad/${uid.slice(1)}.web`, {}],
  [`/ecs/${task.slice(1)}`, {}],
  // What lies outside of a reader's own cgroup namespace (cgroup_namespaces(7)).
  ['/../../system.slice/bird.service', { unit: 'bird.service' }],
  [`/../docker/${id}`, { container: id }],
  ['/..', {}],
  // Nearly a container: too few digits, too many, capitals, and a name that only ends like one.
  [`/docker-${id.slice(1)}.scope`, { unit: `docker-${id.slice(1)}.scope` }],
  [`/docker/${id}0`, {}],
  [`/docker/${id.toUpperCase()}`, {}],
  [`/docker/x${id}`, {}],
];

for (const [path, expected] of shapes) {
  test(`the cgroup ${path.slice(0, 60)} names ${Object.keys(expected).join(', ') || 'nobody'}`, () => {
    assert.deepEqual(ownerOfCgroup(path), expected);
  });
}
