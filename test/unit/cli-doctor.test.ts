import assert from 'node:assert/strict';
import test from 'node:test';
import { findListeningInode } from '../../src/agent/machine/listener.ts';
import { diagnose } from '../../src/cli/command/doctor.ts';
import type { Reached } from '../../src/cli/doctor/reach.ts';
import type { FileFacts, MachineFacts } from '../../src/model/local.ts';

const places = { bpffs: '/sys/fs/bpf', stateDir: '/var/lib/pinfold', runDir: '/run/pinfold' };
const answers: Reached = { version: '1.0.0', readOnly: false, observedAt: '2026-01-01T00:00:00.000Z' };

function directory(path: string, facts: Partial<FileFacts> = {}): FileFacts {
  return { path, type: 'directory', mode: 0o700, uid: 0, gid: 0, ...facts };
}

/** A machine on which nothing is wrong. */
const sound: MachineFacts = {
  uid: 0,
  capabilities: [
    'CAP_SYS_ADMIN',
    'CAP_SYS_CHROOT',
    'CAP_DAC_READ_SEARCH',
    'CAP_DAC_OVERRIDE',
    'CAP_CHOWN',
    'CAP_FOWNER',
    'CAP_SYS_PTRACE',
  ],
  release: '6.18.0',
  nodeVersion: 'v20.20.2',
  bpfRefused: undefined,
  hasBtf: true,
  features: [{ name: 'map_ids', available: true, since: '4.13' }],
  bpffs: 'mounted',
  bpffsRoot: directory('/sys/fs/bpf'),
  mounts: [{ id: '0:40', paths: [], shadowed: false, reachable: true }],
  staging: { directory: directory('/sys/fs/bpf/pinfold-staging'), entries: [] },
  stateDir: directory('/var/lib/pinfold'),
  tokenFile: { path: '/var/lib/pinfold/admin.token', type: 'file', mode: 0o600, uid: 0, gid: 0 },
  isTokenTaken: true,
  runDir: directory('/run/pinfold', { mode: 0o710 }),
  socket: { path: '/run/pinfold/agent.sock', type: 'socket', mode: 0o660, uid: 0, gid: 0 },
  listener: { pid: 812 },
};

/** What is not ok, as `severity name: finding`. */
function complaints(facts: Partial<MachineFacts>, reached: Reached = answers): string[] {
  const checks = diagnose({ ...sound, ...facts }, { places, reached, version: '1.0.0' });
  for (const check of checks) assert.ok(check.severity === 'ok' || check.advice !== undefined, check.name);
  const bad = checks.filter(({ severity }) => severity !== 'ok');
  return bad.map(({ severity, name, finding }) => `${severity} ${name}: ${finding}`);
}

const path = { path: '/sys/fs/bpf', namespace: 1, pid: 1, shadowed: true, read_only: false };
const entry = { name: 'x', madeBy: 'ours' } as const;

const cases: readonly (readonly [what: string, facts: Partial<MachineFacts>, complaint: RegExp])[] = [
  [
    'another user',
    { uid: 1000, staging: { directory: undefined, entries: [] } },
    /^fail user: running as uid 1000/,
  ],
  [
    'no CAP_SYS_ADMIN',
    { capabilities: [] },
    /^fail capabilities: missing: CAP_SYS_ADMIN \(to find objects by id\)/,
  ],
  [
    'no CAP_SYS_PTRACE',
    { capabilities: sound.capabilities.filter((name) => name !== 'CAP_SYS_PTRACE') },
    /^warn capabilities: missing: CAP_SYS_PTRACE/,
  ],
  [
    'no CAP_SYS_CHROOT',
    { capabilities: sound.capabilities.filter((name) => name !== 'CAP_SYS_CHROOT') },
    /^warn capabilities: missing: CAP_SYS_CHROOT \(to see pins in mount namespaces that no process is in\)/,
  ],
  ['no bpf(2)', { bpfRefused: 'EPERM' }, /^fail bpf\(2\): Linux 6\.18\.0 refuses it: EPERM$/],
  ['no BTF', { hasBtf: false }, /^warn kernel BTF: .*reference counts cannot be read/],
  [
    'an old kernel',
    { features: [{ name: 'link_ids', available: false, since: '5.8', reason: 'EINVAL' }] },
    /^warn link_ids: EINVAL$/,
  ],
  ['no bpffs', { bpffs: 'not_mounted' }, /^fail bpffs: nothing is mounted at \/sys\/fs\/bpf$/],
  ['no directory for one', { bpffs: 'missing' }, /^fail bpffs: there is no directory/],
  ['another file system', { bpffs: 'not_bpffs' }, /^fail bpffs: another file system/],
  [
    'a root for everybody',
    { bpffsRoot: directory('/sys/fs/bpf', { mode: 0o1777 }) },
    /^warn bpffs root: mode 1777: others can plant/,
  ],
  [
    "somebody else's root",
    { bpffsRoot: directory('/sys/fs/bpf', { uid: 5 }) },
    /^warn bpffs root: belongs to uid 5/,
  ],
  [
    'a shadowed mount',
    { mounts: [{ id: '0:41', paths: [path], shadowed: true, reachable: true }] },
    /^warn mount 0:41: hidden at \/sys\/fs\/bpf/,
  ],
  [
    'an unreachable mount',
    { mounts: [{ id: '0:41', paths: [path], shadowed: false, reachable: false }] },
    /^warn mount 0:41: cannot be reached/,
  ],
  [
    'unsafe staging',
    { staging: { directory: directory('/sys/fs/bpf/pinfold-staging', { uid: 1000 }), entries: [] } },
    /^fail staging: .* of uid 1000/,
  ],
  [
    'open staging',
    { staging: { directory: directory('/s', { mode: 0o755 }), entries: [] } },
    /^fail staging: .* mode 0755/,
  ],
  [
    'leftovers of a dead agent',
    { listener: undefined, socket: undefined, staging: { directory: directory('/s'), entries: [entry] } },
    /^warn staging: leftovers: 1 of this agent$/,
  ],
  [
    'leftovers of others',
    {
      staging: {
        directory: directory('/s'),
        entries: [
          { name: 'y', madeBy: 'other' },
          { name: 'z', madeBy: 'unknown' },
        ],
      },
    },
    /^warn staging: leftovers: 1 of other agents, 1 of nobody known$/,
  ],
  [
    'an open state directory',
    { stateDir: directory('/var/lib/pinfold', { mode: 0o755 }) },
    /^fail state directory: .*0755/,
  ],
  [
    'an open token',
    { tokenFile: { path: '/t', type: 'file', mode: 0o644, uid: 0, gid: 0 } },
    /^fail admin token: \/t has mode 0644/,
  ],
  ['a revoked token', { isTokenTaken: false }, /^warn admin token: .* that was revoked/],
  [
    'an open run directory',
    { runDir: directory('/run/pinfold', { mode: 0o755 }) },
    /^fail run directory: .*0755/,
  ],
  ['a dead socket', { listener: undefined }, /^warn socket: .*nothing listens on it/],
];

for (const [what, facts, complaint] of cases) {
  test(`${what} is told, and nothing else`, () => {
    const found = complaints(facts);
    assert.equal(found.length, 1, found.join('\n'));
    assert.match(found[0] ?? '', complaint);
  });
}

test('a sound machine gives no complaint', () => {
  assert.deepEqual(complaints({}), []);
});

test('an agent that listens but does not answer is worse than none', () => {
  const failure = { failure: 'No answer.' };
  assert.deepEqual(complaints({}, failure), ['fail agent: No answer.']);
  assert.deepEqual(complaints({ listener: undefined, socket: undefined }, failure), [
    'warn agent: No answer.',
  ]);
});

test('an agent of another version is told', () => {
  assert.deepEqual(complaints({}, { ...answers, version: '0.9.0' }), [
    'warn versions: the agent is 0.9.0, this program 1.0.0',
  ]);
});

test('of the sockets at a path only the one that listens counts', () => {
  const table = [
    'Num       RefCount Protocol Flags    Type St Inode Path',
    '0000000000000000: 00000003 00000000 00000000 0001 03  4711 /run/x.sock',
    '0000000000000000: 00000002 00000000 00010000 0001 01 12345 /run/x.sock',
    '0000000000000000: 00000002 00000000 00010000 0001 01 99999 /run/x.sock2',
  ].join('\n');
  assert.equal(findListeningInode(table, '/run/x.sock'), '12345');
  assert.equal(findListeningInode(table, '/run/y.sock'), undefined);
});
