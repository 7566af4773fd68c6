import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { symlinkSync } from 'node:fs';
import { extname, join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { kernelBtfPath, readKernelBtf } from '../../src/kernel/btf/kernel-btf.ts';
import { Collection } from '../../src/kernel/holder/collection.ts';
import { KernelHolders } from '../../src/kernel/holder/kernel-holders.ts';
import { openHolderIterators } from '../../src/kernel/holder/open-holders.ts';
import { mergeFiles } from '../../src/kernel/holder/proc-files.ts';
import { readProcesses } from '../../src/kernel/holder/processes.ts';
import type { HeldFile } from '../../src/kernel/iter/held-files.ts';
import { OwnObjects } from '../../src/kernel/iter/own.ts';
import { openKernel } from '../../src/kernel/open-kernel.ts';
import { readSinceBootMs } from '../../src/kernel/proc/boot.ts';
import { isPrintable } from '../../src/model/escape.ts';
import { limits } from '../../src/model/limits.ts';
import type { WhyDocument } from '../../src/model/schema/holder.ts';
import { mountBpffs } from '../support/bpffs.ts';
import { compileC } from '../support/c-program.ts';
import { forFile } from '../support/disposal.ts';
import { hold, holdAs } from '../support/hold.ts';
import { makeCgroup } from '../support/hold-ways.ts';
import { startAgent } from '../support/observed.ts';
import { start } from '../support/process.ts';
import { tempDir } from '../support/temp-dir.ts';
import { untilPasses } from '../support/until.ts';

const bpffs = forFile(mountBpffs());
const kernel = forFile(openKernel());
const patience = { timeoutMs: 60_000 };
const child = fileURLToPath(new URL(`../support/holder-child${extname(import.meta.url)}`, import.meta.url));

function at(name: string): string {
  return join(bpffs.path, name);
}

function processesIn({ nodes }: WhyDocument) {
  return nodes.flatMap((node) => (node.node === 'process' ? node : []));
}

test('processes that come and go while holders are read spoil no answer', async () => {
  using dir = tempDir('state');
  using holder = await hold('map:hash:4:8:16:pf_churn:0', `pin:0:${at('churn')}`);
  const id = holder.objects[0]?.id ?? 0;
  await using started = await startAgent(bpffs.path, dir.path);
  const loop = `while :; do "${compileC('hold')}" "get:${at('churn')}" dup:0 </dev/null >/dev/null; done`;
  const churners = [1, 2, 3].map(() => start('sh', ['-c', loop]));
  const seen = new Set<number>();
  try {
    // Until some of them were met in passing.
    for (let round = 0; round < 100 || seen.size < 5; round++) {
      assert.ok(round < 20_000, 'no process was met');
      const why = started.agent.holders.why('map', id);
      const { pins, fds = 0 } = why.references;
      assert.ok(pins === 1 && fds >= 1, why.sentences.join(' '));
      for (const { pid, comm } of processesIn(why)) {
        assert.notEqual(comm, 'sh', 'the shell that starts them has nothing open');
        if (pid !== holder.pid && comm === 'hold') seen.add(pid);
      }
    }
  } finally {
    for (const churner of churners) churner[Symbol.dispose]();
  }
  await untilPasses(() => {
    const { references } = started.agent.holders.why('map', id);
    assert.deepEqual([references.pins, references.fds, references.unexplained], [1, 1, 0]);
  }, patience);
});

test('ten thousand descriptors in one process are counted, and an answer stays bounded', async () => {
  const each = 5000;
  using dir = tempDir('state');
  const opens = Array.from({ length: each }, () => `get:${at('many')}`);
  const copies = Array.from({ length: each }, () => 'dup:0');
  using holder = await hold('map:hash:4:8:16:pf_many:0', `pin:0:${at('many')}`, ...opens, ...copies);
  const id = holder.objects[0]?.id ?? 0;
  await using started = await startAgent(bpffs.path, dir.path);
  await untilPasses(() => {
    const why = started.agent.holders.why('map', id);
    const { pins, fds, unexplained } = why.references;
    assert.deepEqual([pins, fds, unexplained], [1, each + 1, 0]);
    const largest = Math.max(...why.nodes.map((node) => (node.node === 'file' ? (node.left_out ?? 0) : 0)));
    assert.equal(largest, each + 1 - limits.holderMembersMax);
    assert.ok(why.sentences.join(' ').length < 2000, why.sentences.join(' '));
  }, patience);
  // Where /proc tells who has what open, duplicates are found by comparing.
  const { calls, objects, cgroups } = kernel;
  const kernelBtf = readKernelBtf(kernelBtfPath);
  using iterators = openHolderIterators(calls, kernelBtf, new OwnObjects());
  const sources = { calls, objects, cgroups, kernelBtf, seesAllProcesses: false, ...iterators };
  await untilPasses(() => {
    const facts = new KernelHolders({ ...sources, bpffs: kernel.bpffs }).read({ focus: { kind: 'map', id } });
    const sizes = facts.files.map(({ descriptors }) => descriptors.length).toSorted((a, b) => b - a);
    assert.deepEqual([sizes.length, sizes[0], sizes[1]], [each + 1, each + 1, 1]);
  }, patience);
});

test('a descriptor that is closed meanwhile hides no duplicate of another', async () => {
  using holder = await hold('map:hash:4:8:16:pf_merge:0', 'dup:0', 'dup:0');
  const id = holder.objects[0]?.id ?? 0;
  const file = (fd: number, number: number, pid = holder.pid): HeldFile => {
    return { pid, fd, file: number, kind: 'map', id, reuseportId: 0, mapId: 0 };
  };
  const [first = 0, second = 0, third = 0] = holder.objects.map(({ fd }) => fd);
  const nobody = 0x3fffffff;
  const merged = mergeFiles(
    [file(7, -1, nobody), file(first, -2)],
    [file(second, -3), file(9, -4, nobody), file(999_999, -5), file(third, -6)],
  );
  assert.deepEqual(
    merged.map((one) => one.file),
    [-2, -4, -5, -2],
  );
});

test('who has the number of a process that had files, and began later, is not taken for it', async () => {
  using holder = await hold();
  const named = (readAtMs: number): boolean => {
    const facts = new Collection(() => true);
    const descriptors = [{ pid: holder.pid, fd: 3 }];
    const object = { kind: 'map', id: 5 } as const;
    facts.files.push({ file: '1', object, through: 'object', descriptors, mappings: [] });
    return readProcesses(facts, readAtMs).has(holder.pid);
  };
  const startedMs = 10 * Number(execFileSync('cut', ['-d ', '-f22', `/proc/${holder.pid}/stat`]));
  assert.equal(named(readSinceBootMs()), true);
  assert.equal(named(startedMs), true);
  assert.equal(named(startedMs - 1), false);
});

test('a holder in pid and user namespaces of its own has the number that it has here', async () => {
  using dir = tempDir('state');
  using maker = await hold('map:hash:4:8:16:pf_inside:0', `pin:0:${at('inside')}`);
  const id = maker.objects[0]?.id ?? 0;
  await maker.release();
  const enter = ['--user', '--map-root-user', '--pid', '--fork', '--kill-child'];
  const inside = (command: string, args: readonly string[]) => start('unshare', [...enter, command, ...args]);
  using holder = await holdAs(inside, `get:${at('inside')}`);
  const children = execFileSync('cat', [`/proc/${holder.pid}/task/${holder.pid}/children`], {
    encoding: 'utf8',
  });
  const pid = Number(children);
  await using started = await startAgent(bpffs.path, dir.path);
  await untilPasses(() => {
    const why = started.agent.holders.why('map', id);
    assert.equal(why.references.unexplained, 0);
    assert.deepEqual(
      processesIn(why).map((one) => [one.pid, one.comm]),
      [[pid, 'hold']],
    );
    assert.match(why.sentences[0] ?? '', new RegExp(`fd \\d+ of pid ${pid} \`hold\``));
  }, patience);
});

test('a /proc that hides processes hides their names, and not what they hold', async () => {
  using holder = await hold('map:hash:4:8:16:pf_hidden:0');
  const script = 'mount -t proc -o hidepid=ptraceable proc /proc && exec "$@"';
  const read = (...through: readonly string[]) => {
    const run = [process.execPath, ...process.execArgv, child, String(holder.objects[0]?.id)];
    const args = ['--mount', '--propagation', 'private', 'sh', '-c', script, 'sh', ...through, ...run];
    return JSON.parse(execFileSync('unshare', args, { encoding: 'utf8' }));
  };
  const { pid, objects } = holder;
  const ofHolder = (one: { readonly pid: number }): boolean => one.pid === pid;
  const whole = read();
  assert.deepEqual(whole.descriptors.filter(ofHolder), [{ pid, fd: objects[0]?.fd }]);
  assert.equal(whole.processes[pid]?.comm, 'hold');
  const less = read('setpriv', '--bounding-set=-sys_ptrace', '--inh-caps=-sys_ptrace');
  assert.deepEqual(less.descriptors.filter(ofHolder), [{ pid, fd: objects[0]?.fd }]);
  assert.equal(less.processes[pid], undefined);
});

test('names of processes and control groups may be any bytes, and forge nothing', async () => {
  using dir = tempDir('hostile');
  const comm = 'x) R 1 (\n\u001b[2K';
  const unit = 'b\u00efrd\u001b[31m` and pin y.service';
  using cgroup = makeCgroup(`/pf-hostile-${process.pid}/docker-${'a'.repeat(63)}/${unit}`);
  symlinkSync(compileC('hold'), join(dir.path, comm));
  const enter = ['-c', 'echo $$ >"$1/cgroup.procs" && shift && exec "$@"', 'sh', cgroup.path];
  const run = join(dir.path, comm);
  const inside = (_: string, args: readonly string[]) => start('sh', [...enter, run, ...args]);
  using holder = await holdAs(inside, 'map:hash:4:8:16:pf_names:0');
  const id = holder.objects[0]?.id ?? 0;
  await using started = await startAgent(bpffs.path, join(dir.path, 'state'));
  const why = started.agent.holders.why('map', id);
  const told = processesIn(why).find(({ pid }) => pid === holder.pid);
  assert.deepEqual([told?.comm, told?.unit, told?.container], [comm, unit, undefined]);
  for (const sentence of why.sentences) assert.ok(isPrintable(sentence.replaceAll('\\', '')), sentence);
  assert.match(why.sentences[0] ?? '', /`x\) R 1 \(\\x0a\\x1b\[2K` \(/);
  for (const value of [unit, comm]) {
    const trait = value === unit ? 'unit' : 'comm';
    assert.ok(started.agent.holders.heldBy({ trait, value }).has(`map:${id}`), trait);
  }
  holder[Symbol.dispose]();
  await cgroup.removed();
});
