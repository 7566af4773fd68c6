import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { PassThrough, Readable } from 'node:stream';
import test, { after, before } from 'node:test';
import { localMachine } from '../../src/agent/machine/local-machine.ts';
import { runCli } from '../../src/cli/run-cli.ts';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { createMap, updateEntry } from '../support/bpftool.ts';
import { cliVersion, commandLine, type Ran } from '../support/command-line.ts';
import { disposable } from '../support/disposal.ts';
import { hold } from '../support/hold.ts';
import { realClock } from '../support/observed.ts';
import { tempDir } from '../support/temp-dir.ts';
import { untilPasses } from '../support/until.ts';

let agent: TestAgent;
before(async () => {
  agent = await testAgent();
});
after(() => agent[Symbol.asyncDispose]());

async function pinfold(...words: readonly string[]): Promise<Ran> {
  return await commandLine([...words, '--address', agent.socket]);
}

test('top maps tells the fullest and the largest, how full and how large', async () => {
  const full = createMap(`${agent.bpffs.path}/full`, { entries: 2, value: 4, name: 'pf_full' });
  for (const key of [1, 2])
    updateEntry(`${agent.bpffs.path}/full`, Uint8Array.of(key, 0, 0, 0), Uint8Array.of(0, 0, 0, 0));
  const large = createMap(`${agent.bpffs.path}/large`, {
    type: 'array',
    entries: 3_000_000,
    value: 64,
    name: 'pf_large',
  });
  await agent.local.get('/v1/objects?fresh=true&limit=1').expect(200);
  const byFill = JSON.parse(
    (await pinfold('top', 'maps', '--by', 'fill', '--limit', '5000', '-o', 'json')).out,
  );
  const shownFull = byFill.items.find(({ id }: { id: number }) => id === full.id);
  assert.deepEqual([shownFull.entries, shownFull.fill, shownFull.max_entries], [2, 1, 2]);
  const fills = byFill.items.map(({ fill = -1 }: { fill?: number }) => fill);
  assert.deepEqual(
    fills,
    [...fills].sort((one, other) => other - one),
  );
  const byMemory = await pinfold('top', 'maps');
  assert.match(byMemory.out, /^\d+ maps, [\d.]+ [KMGT]iB\n {0,}ID +MEMORY +ENTRIES +MAX +FULL +TYPE +NAME/);
  assert.match(
    byMemory.out,
    new RegExp(`^ *${large.id} +18\\d MiB +- +3000000 +- +array +pf_large +large$`, 'm'),
  );
  assert.match((await pinfold('top', 'maps', '-o', 'name')).out, new RegExp(`^map:${large.id}$`, 'm'));
});

test('top programs measures what runs while it looks', async () => {
  using holder = await hold('prog:xdp:pf_busy');
  const id = holder.objects[0]?.id;
  await agent.local.get('/v1/objects?fresh=true&limit=1').expect(200);
  using dir = tempDir('packet');
  writeFileSync(`${dir.path}/packet`, Buffer.alloc(64));
  const args = ['prog', 'run', 'id', String(id), 'data_in', `${dir.path}/packet`, 'repeat', '100'];
  const running = setInterval(() => spawn('bpftool', args, { stdio: 'ignore' }), 100);
  using _ = disposable(() => clearInterval(running));
  // On a busy machine none of those may have run while it looked.
  await untilPasses(async () => {
    const { out } = await pinfold('top', '--interval', '1500ms', '--limit', '5000', '-o', 'json');
    const seen = JSON.parse(out);
    const shown = seen.items.find((item: { id: number }) => item.id === id);
    assert.ok(shown.run_cnt > 0, JSON.stringify(shown));
    assert.ok(shown.run_time_ns > 0 && shown.average_ns > 0 && shown.cpu > 0 && shown.cpu < 1);
    assert.ok(seen.duration_ms >= 1500 && seen.duration_ms < 10_000);
  });
  const table = await pinfold('top', 'programs', '--once', '--interval', '50ms');
  assert.match(table.out, /^\d+ programs?, measured for [\d.]+ s\n.*RUNS +TIME +AVERAGE +CPU +TYPE +NAME/);
});

test('on a terminal it looks again and again, within its lines and columns, until nobody reads', async () => {
  using _ = await hold(...Array.from({ length: 12 }, (_, index) => `map:array:4:4:1:pf_row_${index}:0`));
  await agent.local.get('/v1/objects?fresh=true&limit=1').expect(200);
  const stdout = new PassThrough();
  let text = '';
  stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
    if (text.split('\u001b[H\u001b[J').length > 3) stdout.destroy();
  });
  const io = {
    stdin: Readable.from([]),
    stdout,
    stderr: new PassThrough(),
    env: {},
    isTTY: { stdin: true, stdout: true, stderr: true },
    columns: 40,
    rows: 12,
    now: () => new Date(),
  };
  const words = ['top', 'maps', '--interval', '20ms', '--address', agent.socket];
  const local = { version: cliVersion, ...localMachine(realClock, cliVersion) };
  const authority = { init: () => none(), issue: () => none() };
  const none = (): Promise<never> => Promise.reject(new Error('no agent'));
  const code = await runCli(words, io, {
    ...local,
    runAgent: none,
    runManager: none,
    initCluster: none,
    authority,
  });
  assert.equal(code, 0);
  assert.ok(text.startsWith('\u001b[H\u001b[J'));
  assert.match(text, /J\d{4}-\d\d-\d\dT[\d:.]+Z\n\d+ maps, /);
  for (const screen of text.split('\u001b[H\u001b[J').slice(1)) {
    const lines = screen.split('\n');
    assert.equal(lines.length, 12, screen);
    assert.equal(lines.pop(), '');
    for (const line of lines) assert.ok(line.length <= 40, line);
    assert.ok(
      lines.slice(3).every((line) => line.length === 40 && line.endsWith('…')),
      screen,
    );
  }
  const once = await commandLine(['top', 'maps', '--once', '--address', agent.socket], { isTerminal: true });
  assert.deepEqual([once.code, once.out.includes('\u001b[H')], [0, false]);
});

test('top says what it cannot take', async () => {
  assert.equal((await pinfold('top', 'links')).code, 2);
  const ordered = await pinfold('top', 'programs', '--by', 'fill');
  assert.equal(ordered.code, 2);
  assert.match(ordered.err, /--by orders maps: pinfold top maps --by fill/);
  assert.equal((await pinfold('top', '--interval', '40s')).code, 2);
  assert.equal((await pinfold('top', '--limit', '0')).code, 2);
  assert.equal((await agent.local.get('/v1/top/programs?duration=1h')).status, 422);
  assert.equal((await agent.local.get('/v1/top/maps?by=name')).status, 422);
});
