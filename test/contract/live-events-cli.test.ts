import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import test from 'node:test';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { createMap } from '../support/bpftool.ts';
import { until } from '../support/until.ts';
import { watching } from '../support/watching.ts';

test('events -w prints what there is and what happens, each once, and goes on after a restart', async () => {
  const first: TestAgent = await testAgent();
  mkdirSync(`${first.bpffs.path}/watched`);
  createMap(`${first.bpffs.path}/watched/a`, { name: 'pf_watched' });
  await first.agent.reads.refresh();
  const words = [
    '--prefix',
    'watched',
    '-w',
    '--address',
    first.url,
    '--token-file',
    first.running.tokenFile,
  ];
  const table = watching(['events', ...words]);
  const names = watching(['get', 'events', ...words, '-o', 'name']);
  await until('the list', () => table.lines.length === 2 && names.lines.length === 1);
  assert.match(table.lines[0] ?? '', /^ *SEQ +TIME +TYPE/);
  createMap(`${first.bpffs.path}/watched/b`, { name: 'pf_watched' });
  await until('the event', () => table.lines.length === 3 && names.lines.length === 2);
  assert.match(table.lines[2] ?? '', / pin\.created +watched\/b /);
  const port = new URL(first.url).port;
  await first.running.stop();
  createMap(`${first.bpffs.path}/watched/c`, { name: 'pf_watched' });
  await using again = await testAgent({
    bpffs: first.bpffs,
    stateDir: first.config.stateDir,
    settings: { listen: `127.0.0.1:${port}` },
  });
  await until('the event of the time between', () => table.lines.length === 4 && names.lines.length === 3);
  assert.match(table.lines[3] ?? '', / pin\.created +watched\/c .* unknown/);
  const { body } = await again.local.get('/v1/events?prefix=watched').expect(200);
  assert.deepEqual(
    names.lines,
    body.items.map(({ seq }: { readonly seq: number }) => String(seq)),
  );
  for (const each of [table, names]) each.close();
  createMap(`${first.bpffs.path}/watched/d`, { name: 'pf_watched' });
  assert.deepEqual([await table.ended, await names.ended], [0, 0]);
  await first[Symbol.asyncDispose]();
});
