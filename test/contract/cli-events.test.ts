import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { mountBpffs } from '../support/bpffs.ts';
import { createMap } from '../support/bpftool.ts';
import { commandLine, type Ran } from '../support/command-line.ts';
import { untilPasses } from '../support/until.ts';

const agent: TestAgent = await testAgent();
after(() => agent[Symbol.asyncDispose]());

async function pinfold(words: readonly string[]): Promise<Ran> {
  return await commandLine([...words, '--address', agent.socket]);
}

/** Runs a command that must succeed, and gives what it printed. */
async function succeed(words: readonly string[]): Promise<string> {
  const ran = await pinfold(words);
  assert.equal(ran.code, 0, ran.err);
  return ran.out;
}

/** A map in a directory of the test's own. */
function makeMap(directory: string): { readonly path: string; readonly id: number } {
  mkdirSync(join(agent.bpffs.path, directory));
  const { id } = createMap(join(agent.bpffs.path, directory, 'map'), { name: 'pf_events' });
  return { path: `${directory}/map`, id };
}

test('events are the newest ones, and people are told what is left out', async () => {
  const { path } = makeMap('history');
  for (let turn = 0; turn < 60; turn += 1) await succeed(['set', path, '--owner', `owner-${turn}`]);
  const list = ['get', 'events', '--pin', path];
  // What an observation saw of the last change may come between two of these lists.
  await untilPasses(async () => {
    const all = (await succeed([...list, '-o', 'name'])).trim().split('\n');
    assert.ok(all.length > 60, String(all.length));
    const limited = await succeed([...list, '-o', 'name', '--limit', '3']);
    assert.deepEqual(limited.trim().split('\n'), all.slice(-3));
    const shown = await pinfold([...list, '--no-headers']);
    const seqs = shown.out
      .trim()
      .split('\n')
      .map((line) => line.trim().split(' ')[0]);
    assert.deepEqual(seqs, all.slice(-50));
    assert.match(shown.err, /newest 50 events; --limit all/);
    const whole = await pinfold([...list, '--no-headers', '--limit', 'all']);
    assert.deepEqual([whole.out.trim().split('\n').length, whole.err], [all.length, '']);
    assert.doesNotMatch(whole.out, / on \d+:\d+/);
  });
});

test('events of another instance name it beside the path', async () => {
  const { id } = makeMap('elsewhere');
  using other = mountBpffs();
  const { items } = JSON.parse(await succeed(['get', 'mounts', '--fresh', '-o', 'json']));
  const mount = items.find((each: { paths: readonly { path: string }[] }) =>
    each.paths.some(({ path }) => path === other.path),
  );
  await succeed(['pin', `map:${id}`, 'away', '--mount', mount.id]);
  const out = await succeed(['get', 'events', '--pin', 'away']);
  assert.match(out, new RegExp(` away on ${mount.id} \\(map:${id}\\) `));
});
