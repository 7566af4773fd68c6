import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { listLeftovers } from '../../src/agent/recovery/leftovers.ts';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { createMap, isAlive, pinnedMap } from '../support/bpftool.ts';
import { movedClock } from '../support/moved-clock.ts';
import { until } from '../support/until.ts';

const clock = movedClock();
const patience = { timeoutMs: 60_000 };
let agent: TestAgent;

before(async () => {
  agent = await testAgent({ clock, file: { gc: { min_age: '0s', grace: '1h', pins_a_second: 10_000 } } });
});

after(async () => {
  await agent[Symbol.asyncDispose]();
});

const at = (name: string): string => `${agent.bpffs.path}/${name}`;

interface Kept {
  readonly id: string;
  readonly path: string;
}

async function list(): Promise<readonly Kept[]> {
  return (await agent.local.get('/v1/quarantine?limit=1000').expect(200)).body.items;
}

/** Makes a pin that nobody needs, and has it put into quarantine; answers its id there and where it lies. */
async function putAside(name: string): Promise<{ readonly id: string; readonly slot: string }> {
  createMap(at(name));
  // Whoever else on this machine looks at it in passing keeps it: then once more.
  const find = async (): Promise<Kept | undefined> => {
    await agent.local.post('/v1/gc').send({ prefix: name });
    return (await list()).find(({ path }) => path === name);
  };
  const kept = await until(`${name} is in quarantine`, find, Boolean, { ...patience, everyMs: 100 });
  assert.ok(kept !== undefined);
  const { slot = '' } = agent.agent.store.quarantine.find(kept.id) ?? {};
  return { id: kept.id, slot: at(`pinfold-staging/${slot}`) };
}

/** What somebody with the rights of root can do to what is in quarantine. */
const hands: Readonly<Record<string, (slot: string) => void>> = {
  'nothing at all': () => undefined,
  'a symbolic link': (slot) => symlinkSync('/etc/passwd', slot),
  'a directory': (slot) => mkdirSync(slot),
  'a pin of another object': (slot) => {
    createMap(at('theirs'), { name: 'pf_theirs' });
    renameSync(at('theirs'), slot);
  },
};

const inodeAt = (path: string): number | undefined => lstatSync(path, { throwIfNoEntry: false })?.ino;

for (const [what, put] of Object.entries(hands)) {
  test(`where another hand left ${what} for a pin, that gets no name and is not removed`, async () => {
    for (const ask of ['restore', 'discard', 'grace'] as const) {
      const { id, slot } = await putAside('lost');
      rmSync(slot);
      put(slot);
      const theirs = inodeAt(slot);
      if (ask === 'grace') {
        clock.sleep(3_600_000);
        await until('the grace is over', list, ({ length }) => length === 0, patience);
      } else {
        const call = ask === 'restore' ? 'post' : 'delete';
        const url = `/v1/quarantine/${id}${ask === 'restore' ? '/restore' : '?force=true'}`;
        const { body } = await agent.local[call](url).expect(404);
        assert.equal(body.code, 'quarantine_not_found', body.detail);
      }
      assert.deepEqual(await list(), [], 'it is listed no longer');
      assert.deepEqual([inodeAt(slot), existsSync(at('lost'))], [theirs, false]);
      if (what.startsWith('a pin')) assert.equal(isAlive('map', pinnedMap(slot).id), true);
      rmSync(slot, { recursive: true, force: true });
    }
  });
}

test('a staging directory that another hand has filled keeps nothing from its way', async () => {
  const first = await putAside('before');
  const names = Array.from({ length: 400 }, (_, index) => at(`pinfold-staging/filled-${index}`));
  for (const [index, name] of names.entries()) {
    if (index % 2 === 0) mkdirSync(name);
    else symlinkSync(at('before'), name);
  }
  const second = await putAside('behind');
  for (const { id } of [first, second]) await agent.local.post(`/v1/quarantine/${id}/restore`).expect(200);
  const { id } = await putAside('gone');
  await agent.local.delete(`/v1/quarantine/${id}?accept=last_reference`).expect(204);
  assert.deepEqual([existsSync(at('before')), existsSync(at('behind'))], [true, true]);
  const { kernel, agent: node } = agent.running;
  const [mount] = kernel.bpffs.scanMounts().filter((each) => each.id === agent.mount);
  assert.ok(mount !== undefined);
  assert.equal(listLeftovers(kernel, node.store, [mount]).length, names.length, 'each is reported');
  const { body } = await agent.local.get('/v1/pins').query({ mount: agent.mount }).expect(200);
  assert.deepEqual(
    body.items.map(({ path }: Kept) => path),
    ['before', 'behind'],
  );
  for (const name of names) rmSync(name, { recursive: true });
  execFileSync('rm', [at('before'), at('behind')]);
});
