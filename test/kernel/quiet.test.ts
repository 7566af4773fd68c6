import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import test from 'node:test';
import { alone } from '../support/alone.ts';
import { mountBpffs } from '../support/bpffs.ts';
import { listMaps } from '../support/bpftool.ts';
import { counterKey, counterSampler } from '../support/counters.ts';
import { bpfFds } from '../support/leaks.ts';
import { nameChanger } from '../support/name-changes.ts';
import { type Child, start } from '../support/process.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until, untilPasses } from '../support/until.ts';

const program = join(import.meta.dirname, `../support/observed-child${extname(import.meta.url)}`);

/** An agent under strace, alone with one bpffs. */
function startTraced(trace: string, bpffs: string, stateDir: string): Child {
  const strace = ['strace', '-f', '-ttt', '-s', '64', '-e', 'trace=bpf,openat2,pidfd_getfd', '-o', trace];
  const node = [process.execPath, ...process.execArgv, program, bpffs, stateDir];
  const [command, ...args] = alone(bpffs, [...strace, ...node]);
  return start(command, args, { env: { NODE_TEST_CONTEXT: undefined, NODE_V8_COVERAGE: undefined } });
}

/** The system calls strace saw, each with its moment in seconds. */
function callsIn(file: string): readonly { readonly at: number; readonly call: string }[] {
  return readFileSync(file, 'latin1')
    .split('\n')
    .flatMap((line) => {
      const [, at, call] = /^\d+\s+(\d+\.\d+) (.*)$/.exec(line) ?? [];
      return at === undefined || call === undefined ? [] : [{ at: Number(at), call }];
    });
}

test('an agent at rest opens no object, and every idle map has exactly as many users as pins', async () => {
  using bpffs = mountBpffs();
  using dir = tempDir('state');
  using changer = await nameChanger(bpffs.path, 'pf_quiet');
  await changer.tell('make 1000 idle');
  const trace = `${dir.path}/trace`;
  using agent = startTraced(trace, bpffs.path, `${dir.path}/state`);
  await agent.line(/^ready$/, 60_000);
  const restsFrom = Date.now() / 1000 + 1;
  const ids = new Set(listMaps().flatMap(({ id, name }) => (name?.startsWith('pf_quiet') ? id : [])));
  assert.equal(ids.size, 1000);

  using sampler = counterSampler();
  const differing = async () => {
    const counters = await sampler.sample();
    return [...ids].filter((id) => counters.get(counterKey('map', id))?.usercnt !== 1);
  };
  let samples = 0;
  await until(
    '100 samples over a minute',
    async () => {
      samples++;
      // Somebody else on the machine may look at a map just now; a user that stays would be the agent.
      const check = async () => assert.deepEqual(await differing(), [], 'a map has a user that is no pin');
      await untilPasses(check, { timeoutMs: 60_000 });
      return samples >= 100 && Date.now() / 1000 > restsFrom + 60;
    },
    Boolean,
    { timeoutMs: 180_000, everyMs: 500 },
  );

  const calls = callsIn(trace);
  const opens = /BPF_OBJ_GET,|_GET_FD_BY_ID/;
  const atStart = calls.filter(({ at, call }) => at < restsFrom && /BPF_OBJ_GET,/.test(call));
  assert.ok(atStart.length >= 1000, `strace saw the first observation open each pin (${atStart.length})`);
  const resting = calls.filter(({ at }) => at >= restsFrom);
  assert.ok(
    resting.some(({ call }) => /_GET_NEXT_ID/.test(call)),
    'strace saw it look for new objects',
  );
  const isOurs = (call: string): boolean => {
    const id = /(?:map|prog|link|btf)_id=(\d+)/.exec(call)?.[1];
    return id === undefined || (call.includes('BPF_MAP_GET_FD_BY_ID') && ids.has(Number(id)));
  };
  assert.deepEqual(
    resting.filter(({ call }) => opens.test(call) && isOurs(call)),
    [],
  );
  agent.end();
  await agent.exit();
});

test('between two observations no descriptor on an object is open, whatever was found', async () => {
  using bpffs = mountBpffs();
  using dir = tempDir('state');
  using changer = await nameChanger(bpffs.path);
  using agent = start(process.execPath, [...process.execArgv, program, bpffs.path, dir.path], {
    env: { NODE_TEST_CONTEXT: undefined },
  });
  await agent.line(/^ready$/, 60_000);
  const counted: number[] = [];
  // The first observation may still be looking at something: what is its own is what stays.
  const own = await until(
    'the same descriptors ten times in a row',
    () => [counted.unshift(bpfFds(agent.pid).size), ...counted].slice(1, 11),
    (last) => last.length === 10 && new Set(last).size === 1,
  );
  for (const instruction of ['make 300 a', 'link 300 a b', 'rename 300 a c', 'swap 300 c', 'remove 300 b']) {
    await changer.tell(instruction);
    await until(
      'only its own descriptors',
      () => [...bpfFds(agent.pid)].length,
      (count) => count === own[0],
    );
  }
  agent.end();
  await agent.exit();
});
