import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import test from 'node:test';
import { readBootTimeMs } from '../../src/kernel/proc/boot.ts';
import { parseCapabilities, readCapabilities } from '../../src/kernel/proc/capability.ts';
import { parseCpuList, readFacts } from '../../src/kernel/proc/facts.ts';
import { notify } from '../../src/kernel/proc/notify.ts';
import { peerReader } from '../../src/kernel/proc/peer.ts';
import { findProcess, parseStat } from '../../src/kernel/proc/process.ts';
import { Calls } from '../../src/kernel/sys/calls.ts';
import { isSystemCallError } from '../../src/kernel/sys/errno.ts';
import { FdTable } from '../../src/kernel/sys/fd.ts';
import { compileC } from '../support/c-program.ts';
import { start } from '../support/process.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';

const calls = new Calls(new FdTable());

/** The descriptor of a socket, as Node keeps it. */
function fdOf(socket: Socket | Server): number {
  const handle: unknown = Reflect.get(socket, '_handle');
  return Number(Reflect.get(Object(handle), 'fd'));
}

test('who connects to a unix socket is known by user, group, process and name', async () => {
  using dir = tempDir('peer');
  const server = createServer();
  server.listen(`${dir.path}/socket`);
  await once(server, 'listening');
  execFileSync('chmod', ['-R', '0777', dir.path]);
  const connects = 'net.connect(process.argv[1]); console.log(process.pid);';
  const program = `import('node:net').then((net) => { ${connects} })`;
  const node = [process.execPath, '-e', program, `${dir.path}/socket`];
  using client = start('setpriv', ['--reuid=1234', '--regid=4321', '--clear-groups', ...node]);
  const [socket] = (await once(server, 'connection')) as [Socket];
  const pid = Number(await client.line(/^\d+$/));
  const comm = readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  assert.deepEqual(peerReader.read(fdOf(socket)), { pid, uid: 1234, gid: 4321, comm });
  assert.equal(peerReader.read(fdOf(server))?.uid, 0, 'a listener knows who made it');
  assert.deepEqual(
    [socket, server].map((each) => peerReader.isUnix(fdOf(each))),
    [true, true],
  );
  socket.destroy();
  server.close();
});

test('what is no connected unix socket has no peer', async () => {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  assert.equal(peerReader.read(fdOf(server)), undefined);
  assert.equal(peerReader.isUnix(fdOf(server)), false);
  assert.equal(peerReader.read(1_000_000), undefined);
  assert.equal(peerReader.isUnix(1_000_000), false);
  const file = calls.pidfdOpen(process.pid);
  assert.equal(peerReader.read(file.number), undefined);
  assert.equal(peerReader.isUnix(file.number), false);
  file[Symbol.dispose]();
  server.close();
});

test('the service manager hears us on a path and on an abstract socket', async () => {
  using dir = tempDir('notify');
  for (const address of [`${dir.path}/notify`, `@pf-notify-${process.pid}`]) {
    using listener = start(compileC('notify-listen'), [address]);
    await listener.line(/^ready$/);
    notify(calls, address, 'READY=1\nSTATUS=12 pins');
    assert.equal(await listener.line(), 'READY=1;STATUS=12 pins');
  }
  assert.deepEqual(calls.fds.list(), []);
});

test('a service manager that is not there, or an address that is none, is an error', () => {
  const refused = (address: string, errno: string): void =>
    assert.throws(
      () => notify(calls, address, 'READY=1'),
      (error) => isSystemCallError(error, errno),
    );
  refused('/no/such/socket', 'ENOENT');
  refused(`@pf-nobody-${process.pid}`, 'ECONNREFUSED');
  for (const address of ['', '@', 'relative', 'vsock:2:1', `/${'x'.repeat(108)}`, '/a\0b']) {
    assert.throws(() => notify(calls, address, 'READY=1'), RangeError, address);
  }
  assert.deepEqual(calls.fds.list(), []);
});

test('a process is known by pid and start, and by whatever name it gives itself', async () => {
  using child = start('bash', ['-c', `printf 'a) R 1 (b' > /proc/self/comm; echo up; read -r _`]);
  await child.line(/^up$/);
  const found = findProcess(child.pid);
  assert.equal(found?.comm, 'a) R 1 (b');
  const ticks = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
  const elapsed = Number(
    execFileSync('ps', ['-o', 'etimes=', '-p', String(child.pid)], { encoding: 'utf8' }),
  );
  const uptime = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]);
  assert.ok(Math.abs(uptime - (found?.startTime ?? 0) / ticks - elapsed) < 2);
  assert.equal(readFileSync(`/proc/${child.pid}/cgroup`, 'utf8').includes(`0::${found?.cgroup}`), true);
  child.kill();
  await until(
    'the process is gone',
    () => findProcess(child.pid),
    (process) => process === undefined,
  );
  assert.equal(parseStat('no stat line'), undefined);
});

test('facts of the machine are what other tools say', () => {
  const facts = readFacts([]);
  const run = (command: string, ...args: string[]): string =>
    execFileSync(command, args, { encoding: 'utf8' }).trim();
  assert.equal(facts.release, run('uname', '-r'));
  assert.equal(facts.machine, run('uname', '-m'));
  assert.equal(facts.bootId, run('sysctl', '-n', 'kernel.random.boot_id'));
  assert.equal(facts.cpus.online, Number(run('getconf', '_NPROCESSORS_ONLN')));
  assert.ok(facts.cpus.possible >= facts.cpus.online);
  assert.equal(facts.seesAllProcesses, run('readlink', '/proc/self/ns/pid') === 'pid:[4026531836]');
  const booted = Number(/^btime (\d+)$/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1]);
  assert.ok(Math.abs(readBootTimeMs() / 1000 - booted) < 2);
});

test('CPU lists are counted', () => {
  assert.deepEqual(['0', '0-3', '0-3,8', '0,2-3,7\n', ''].map(parseCpuList), [1, 4, 5, 4, 0]);
});

test('capabilities have the names setpriv gives them, in the order of their bits', () => {
  const listed = execFileSync('setpriv', ['--list-caps'], { encoding: 'utf8' }).trim().split('\n');
  const all = 2n ** BigInt(listed.length) - 1n;
  assert.deepEqual(
    parseCapabilities(`CapPrm:\t0\nCapEff:\t${all.toString(16)}\n`),
    listed.map((name) => `CAP_${name.toUpperCase()}`),
  );
  assert.deepEqual(parseCapabilities('CapEff:\t8000000000000001\n'), ['CAP_CHOWN', 'CAP_63']);
  assert.deepEqual(parseCapabilities('nothing'), []);
  assert.ok(readCapabilities().includes('CAP_SYS_ADMIN'));
});
