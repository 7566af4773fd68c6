import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { extname, join } from 'node:path';
import test from 'node:test';
import { openKernel } from '../../src/kernel/open-kernel.ts';
import type { FdTable } from '../../src/kernel/sys/fd.ts';
import type { EventDocument } from '../../src/model/schema/event.ts';
import { mountBpffs } from '../support/bpffs.ts';
import { createMap, isAlive } from '../support/bpftool.ts';
import { nameChanger } from '../support/name-changes.ts';
import { mountId, startAgent, type TestAgent } from '../support/observed.ts';
import { start } from '../support/process.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';
import { asking, path } from './changes-fixture.ts';

/** Looks only when it is told to, so that a test says what lies between two looks. */
const onDemand = { quickMs: 3_600_000, fullMs: 3_600_000, wakeMs: 3_600_000 };

/** The events of names under `prefix`, once the agent has looked. */
async function eventsOf(agent: TestAgent, mount: string, prefix: string): Promise<readonly EventDocument[]> {
  await agent.agent.reads.refresh();
  return agent.eventsOf(mount).filter(({ subject }) => subject.path?.startsWith(prefix));
}

test('every foreign change names the process that made it', async () => {
  using bpffs = mountBpffs('mode=0700');
  using dir = tempDir('attribution');
  mkdirSync(join(bpffs.path, 'd'));
  const mount = mountId(bpffs.dev);
  await using agent = await startAgent(bpffs.path, dir.path, { rhythm: onDemand });
  using changer = await nameChanger(bpffs.path, 'pf_at');
  const actor = `uid:0 pid:${changer.pid} comm:name-changes`;
  const steps = [
    ['make 2 a', 'pin.created'],
    ['chmod 2 a 640', 'pin.changed'],
    ['replace 2 a', 'pin.replaced'],
    ['rename 2 a d/b', 'pin.renamed'],
    ['link 2 d/b c', 'pin.created'],
    ['remove 2 c', 'pin.removed'],
    ['swap 2 d/b', 'pin.replaced'],
    ['remove 2 d/b', 'pin.removed'],
  ] as const;
  let seen = (await eventsOf(agent, mount, '')).length;
  for (const [instruction, type] of steps) {
    await changer.tell(instruction);
    const events = (await eventsOf(agent, mount, '')).filter(({ subject }) => subject.path !== undefined);
    const fresh = events.slice(seen);
    seen = events.length;
    const ofType = fresh.filter((event) => event.type === type);
    assert.deepEqual(
      ofType.map((event) => event.actor),
      [actor, actor],
      instruction,
    );
  }
  const listed = agent.store.events.list({ actor, limit: 1000 });
  assert.ok(listed.length >= 2 * steps.length && listed.every((event) => event.actor === actor));
});

test('a foreign change among many of our own names the process that made it', async () => {
  using bpffs = mountBpffs('mode=0700');
  using dir = tempDir('attribution-among');
  const mount = mountId(bpffs.dev);
  await using agent = await startAgent(bpffs.path, dir.path, { rhythm: onDemand });
  using changer = await nameChanger(bpffs.path, 'pf_among');
  const { id } = createMap(join(bpffs.path, 'kept'));
  const request = { source: { kind: 'map', id } } as const;
  const pinTwenty = async (group: number): Promise<void> => {
    const names = Array.from({ length: 20 }, (_, index) => path(`own${group}_${index}`));
    await Promise.all(names.map((name) => agent.agent.changes.pin(name, undefined, request, asking())));
  };
  for (let group = 0; group < 10; group++) {
    await Promise.all([pinTwenty(group), changer.tell(`make 1 f${group}_`)]);
  }
  const own = await eventsOf(agent, mount, 'own');
  assert.deepEqual([own.length, new Set(own.map(({ actor }) => actor))], [200, new Set(['api:test'])]);
  const foreign = await eventsOf(agent, mount, 'f');
  const actor = `uid:0 pid:${changer.pid} comm:name-changes`;
  assert.deepEqual([foreign.length, new Set(foreign.map((event) => event.actor))], [10, new Set([actor])]);
});

test('a program that is gone is named as far as it could be seen, and never another', async () => {
  using bpffs = mountBpffs('mode=0700');
  using dir = tempDir('attribution-short');
  const mount = mountId(bpffs.dev);
  await using agent = await startAgent(bpffs.path, dir.path, { rhythm: onDemand });
  let complete = 0;
  for (let round = 0; round < 20; round += 1) {
    const path = join(bpffs.path, `m${round}`);
    const words = ['map', 'create', path, 'type', 'array', 'key', '4', 'value', '4', 'entries', '1'];
    const child = spawn('bpftool', [...words, 'name', 'pf_short'], { stdio: 'ignore' });
    await new Promise((resolve) => child.once('exit', resolve));
    const [event, ...others] = await eventsOf(agent, mount, `m${round}`);
    assert.deepEqual(others, []);
    assert.ok(
      [`uid:0 pid:${child.pid} comm:bpftool`, `pid:${child.pid}`].includes(event?.actor ?? ''),
      event?.actor,
    );
    if (event?.actor.includes('comm:') === true) complete += 1;
    rmSync(path);
  }
  assert.ok(complete > 0, 'of some more than the number is known');
});

test('where two processes touched a name between two looks, neither is named', async () => {
  using bpffs = mountBpffs('mode=0700');
  using dir = tempDir('attribution-two');
  const mount = mountId(bpffs.dev);
  await using agent = await startAgent(bpffs.path, dir.path, { rhythm: onDemand });
  using one = await nameChanger(bpffs.path, 'pf_one');
  using other = await nameChanger(bpffs.path, 'pf_two');
  await one.tell('make 1 x');
  await other.tell('swap 1 x');
  await one.tell('make 1 y');
  const first = await eventsOf(agent, mount, '');
  assert.deepEqual(
    first.map(({ subject, actor }) => [subject.path, actor]),
    [
      ['x0', 'kernel'],
      ['y0', `uid:0 pid:${one.pid} comm:name-changes`],
    ],
  );
  await eventsOf(agent, mount, '');
  await other.tell('chmod 1 x 640');
  await one.tell('chmod 1 y 640');
  await other.tell('chmod 1 y 600');
  const second = (await eventsOf(agent, mount, '')).slice(first.length);
  assert.deepEqual(
    second.map(({ subject, actor }) => [subject.path, actor]),
    [['x0', `uid:0 pid:${other.pid} comm:name-changes`]],
    'y is what it was',
  );
});

test('user and unit are those of the process', async () => {
  using bpffs = mountBpffs('mode=1777');
  using dir = tempDir('attribution-unit');
  const mount = mountId(bpffs.dev);
  await using agent = await startAgent(bpffs.path, dir.path, { rhythm: onDemand });
  createMap(join(bpffs.path, 'm'), { name: 'pf_unit' });
  execFileSync('chown', ['1000', join(bpffs.path, 'm')]);
  await eventsOf(agent, mount, 'm');
  await eventsOf(agent, mount, 'm');
  const group = `/sys/fs/cgroup/unified/pf-attribution-${process.pid}.service`;
  mkdirSync(group);
  try {
    const script = `echo 0 > ${group}/cgroup.procs; exec setpriv --reuid 1000 --clear-groups "$@"`;
    using user = start('sh', ['-c', script, 'sh', 'perl', '-e', perlOf(join(bpffs.path, 'm'))]);
    await user.line(/^done$/);
    const last = (await eventsOf(agent, mount, 'm')).at(-1);
    assert.equal(last?.type, 'pin.changed');
    assert.match(last?.actor ?? '', new RegExp(`^uid:1000 pid:${user.pid} comm:perl$`));
    assert.equal(last?.unit, `pf-attribution-${process.pid}.service`);
    user.end();
    await user.exit();
  } finally {
    await until('the group is empty', () => removed(group));
  }
});

/** A program that changes a mode and stays until its input ends. */
function perlOf(path: string): string {
  return `chmod(0640, "${path}") or die; $| = 1; print "done\\n"; <STDIN>;`;
}

function removed(group: string): boolean {
  try {
    execFileSync('rmdir', [group], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

test('where the kernel does not let us know, a foreign change has the actor kernel', async () => {
  using bpffs = mountBpffs('mode=0700');
  using dir = tempDir('attribution-none');
  const kernel = { ...openKernel(), openNameWatcher: () => undefined };
  await using agent = await startAgent(bpffs.path, dir.path, { rhythm: onDemand, kernel });
  using changer = await nameChanger(bpffs.path, 'pf_none');
  await changer.tell('make 1 a');
  const [event] = await eventsOf(agent, mountId(bpffs.dev), 'a');
  assert.deepEqual([event?.type, event?.actor, event?.unit], ['pin.created', 'kernel', undefined]);
});

test('a process without CAP_SYS_ADMIN gets no watcher', () => {
  const module = (path: string) =>
    JSON.stringify(join(import.meta.dirname, '../../src/kernel', `${path}${extname(import.meta.filename)}`));
  const source = `import { openNameWatcher } from ${module('fanotify/name-watcher')};
    import { Calls } from ${module('sys/calls')};
    import { FdTable } from ${module('sys/fd')};
    const fds = new FdTable();
    const watcher = openNameWatcher(new Calls(fds), () => undefined);
    process.stdout.write(JSON.stringify([watcher === undefined, fds.list().length]));`;
  const words = [...process.execArgv, '--input-type=module', '-e', source];
  const run = execFileSync('setpriv', ['--bounding-set', '-all', '--', process.execPath, ...words], {
    encoding: 'utf8',
  });
  assert.equal(run, '[true,0]');
});

test('listening keeps no object alive, no bpffs mounted, and nothing open when it ends', async () => {
  const open = () =>
    readdirSync('/proc/self/fd').flatMap((fd) => {
      try {
        return [readlinkSync(`/proc/self/fd/${fd}`)];
      } catch {
        return [];
      }
    });
  const ours = () =>
    open()
      .filter((target) => /fanotify|pidfd/.test(target))
      .sort();
  const before = ours();
  using dir = tempDir('attribution-leak');
  let fds: FdTable;
  {
    using bpffs = mountBpffs('mode=0700');
    await using agent = await startAgent(bpffs.path, dir.path, { rhythm: onDemand });
    ({ fds } = agent.kernel);
    const { id } = createMap(join(bpffs.path, 'm'), { name: 'pf_leak' });
    const other = createMap(join(bpffs.path, 'n'), { name: 'pf_leak' });
    rmSync(join(bpffs.path, 'm'));
    await until('the map is freed', () => !isAlive('map', id));
    await agent.agent.reads.refresh();
    execFileSync('umount', [bpffs.path]);
    await until('the map of the unmounted bpffs is freed', () => !isAlive('map', other.id));
    assert.deepEqual(agent.kernel.fds.transient(), []);
    assert.equal(ours().length > before.length, true);
  }
  assert.deepEqual(fds.list(), []);
  assert.deepEqual(ours(), before);
});
