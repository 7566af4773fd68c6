import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { extname, join } from 'node:path';
import test from 'node:test';
import { mountBpffs } from '../support/bpffs.ts';
import { pinById } from '../support/bpftool.ts';
import { compileC } from '../support/c-program.ts';
import { forFile } from '../support/disposal.ts';
import { hold } from '../support/hold.ts';
import { type Child, start } from '../support/process.ts';
import { tempDir } from '../support/temp-dir.ts';
import { asking, at, benchForFile, failsWith, path } from './changes-fixture.ts';

const pairs = 60;
const program = join(import.meta.dirname, `unpin-child${extname(import.meta.url)}`);
const bench = benchForFile();

test('two agents unpin the two last pins of a map at once: exactly one may, whoever looks', async () => {
  using bpffs = mountBpffs();
  using one = await agent(bpffs.path);
  using two = await agent(bpffs.path);
  const numbers = Array.from({ length: pairs }, (_, index) => index);
  const maps = numbers.map(() => 'map:array:4:8:1:pf_both:0');
  const pins = numbers.flatMap((index) =>
    ['one', 'two'].map((name) => `pin:${index}:${bpffs.path}/${name}${index}`),
  );
  using holder = await hold(...maps, ...pins);
  await holder.release();
  using looking = start(compileC('pass-by'), ['round', ...holder.objects.map(({ id }) => String(id))]);
  await looking.line(/^ready$/);
  for (const index of numbers) {
    const moment = Date.now() + 20;
    one.write(`${moment} one${index}`);
    two.write(`${moment} two${index}`);
    const answers = [await one.line(), await two.line()];
    const left = ['one', 'two'].filter((name) => existsSync(`${bpffs.path}/${name}${index}`));
    assert.deepEqual([answers.toSorted(), left.length], [['hazard', 'ok'], 1], `round ${index}`);
  }
});

test('an agent that finds another at work waits two seconds, then says that it is too busy', async () => {
  using other = await agent(bench.bpffs.path);
  using holder = await hold('map:array:4:8:1:pf_busy:0');
  const id = holder.objects[0]?.id ?? 0;
  for (const name of ['mine', 'theirs']) pinById('map', id, `${bench.bpffs.path}/${name}`);
  at(bench, 'unpin.checked', () => {
    assert.throws(
      () => bench.changes.unpin(path('theirs'), undefined, asking()),
      failsWith('overloaded', { retry_after: 1 }),
    );
    other.write('0 theirs');
  });
  bench.changes.unpin(path('mine'), undefined, asking());
  assert.equal(await other.line(), 'ok', 'its turn comes when this one is done');
});

/** Starts an agent's changes in a process of their own. */
async function agent(bpffs: string): Promise<Child> {
  const state = forFile(tempDir('state'));
  const child = start(process.execPath, [...process.execArgv, program, bpffs, state.path]);
  await child.line(/^ready$/);
  return child;
}
