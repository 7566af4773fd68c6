import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { extname } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { openKernel } from '../../src/kernel/open-kernel.ts';
import { hold } from '../support/hold.ts';

/** What kernel-child prints. */
interface Report {
  readonly features: readonly {
    readonly name: string;
    readonly available: boolean;
    readonly reason?: string;
  }[];
  readonly answers: readonly unknown[];
  readonly transient: number;
  readonly seesAllProcesses: boolean;
}

/** What needs CAP_SYS_ADMIN: ids, and looking into other processes and namespaces. */
const withoutIds = [
  ...['map_ids', 'program_ids', 'link_ids', 'btf_ids', 'task_fd_query'],
  ...['network_namespaces', 'mount_namespaces'],
];

const script = fileURLToPath(new URL(`../support/kernel-child${extname(import.meta.url)}`, import.meta.url));

/** Runs kernel-child behind a command such as setpriv, which changes what it may do or see. */
function runBehind(command: string, options: readonly string[], ...wanted: readonly string[]): Report {
  const args = [...options, process.execPath, ...process.execArgv, script, ...wanted];
  return JSON.parse(execFileSync(command, args, { encoding: 'utf8' })) as Report;
}

/** As root without some capabilities (`-sys_admin,-bpf`; `-all`). */
function withoutRights(bounding: string, ...wanted: readonly string[]): Report {
  return runBehind('setpriv', [`--bounding-set=${bounding}`], ...wanted);
}

function missing(report: Report): string[] {
  return report.features.filter(({ available }) => !available).map(({ name }) => name);
}

test('with all rights on a kernel like this one every feature is there', () => {
  using kernel = openKernel();
  const lacking = kernel.facts.features.filter(({ available }) => !available);
  assert.deepEqual(lacking, []);
  assert.deepEqual(kernel.fds.transient(), []);
});

test('without CAP_SYS_ADMIN there are no ids, and one object is counted by running through all', async () => {
  using holder = await hold('map:hash:4:8:1:pf_counted:0', 'prog:xdp:pf_counted');
  const [map, program] = holder.objects.map(({ id }) => id);
  const wanted = [`map:${map}`, `program:${program}`, 'link:2147483600', 'map:2147483600'];
  const report = withoutRights('-sys_admin', ...wanted);
  assert.deepEqual(missing(report), withoutIds);
  const nothing = { refcnt: 'undefined', usercnt: 'undefined' };
  assert.deepEqual(report.answers, [
    { refcnt: '1', usercnt: '1' },
    { refcnt: '1', usercnt: 'undefined' },
    nothing,
    nothing,
  ]);
  assert.equal(report.transient, 0);
});

test('without one of two small rights the feature that needs it is missing, and nothing else', () => {
  assert.deepEqual(missing(withoutRights('-sys_chroot')), ['mount_namespaces']);
  assert.deepEqual(missing(withoutRights('-dac_read_search')), ['open_by_handle']);
});

test('without any rights each feature that is missing says why and what is lost', () => {
  const report = withoutRights('-all', 'map:1');
  const reasons = report.features.filter(({ available }) => !available);
  const needed = [
    'map_create',
    'map_ids',
    'map_counters',
    'program_counters',
    'link_counters',
    'map_entry_count',
  ];
  for (const name of needed) assert.ok(missing(report).includes(name), name);
  for (const { name, reason } of reasons) assert.match(reason ?? '', /E[A-Z]+.*: .+/, name);
  assert.deepEqual(report.answers, [{ refused: 'not_supported' }]);
  assert.equal(report.transient, 0);
});

test('in a pid namespace not all processes are seen, and counters are as right as ever', async () => {
  using holder = await hold('map:hash:4:8:1:pf_counted:0', 'prog:sk_lookup:pf_counted', 'link:netns:1');
  const [map, program, link] = holder.objects.map(({ id }) => id);
  const options = ['--pid', '--fork', '--mount-proc', '--kill-child'];
  const report = runBehind('unshare', options, `map:${map}`, `program:${program}`, `link:${link}`);
  assert.equal(report.seesAllProcesses, false);
  assert.deepEqual(report.answers, [
    { refcnt: '1', usercnt: '1' },
    { refcnt: '2', usercnt: 'undefined' },
    { refcnt: '1', usercnt: 'undefined' },
  ]);
});
