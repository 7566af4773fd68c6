import assert from 'node:assert/strict';
import { mkdirSync, readdirSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { type TestAgent, testAgent } from '../support/agent.ts';
import { createMap } from '../support/bpftool.ts';
import { commandLine, type Ran } from '../support/command-line.ts';
import { type Leaked, leak, startTraffic, type Traffic } from '../support/leak.ts';
import { until, untilPasses } from '../support/until.ts';

/** A hundredth of the public case of 8,000 maps and 3,000 programs, which `npm run bench -- gc` builds. */
const size = { maps: 80, programs: 30 };
const users = 20;

let agent: TestAgent;
let traffic: Traffic;
let leakage: Leaked;

before(async () => {
  agent = await testAgent({ file: { gc: { min_age: '0s', grace: '1h', pins_a_second: 10_000 } } });
  mkdirSync(`${agent.bpffs.path}/leak`);
  traffic = await startTraffic(`${agent.bpffs.path}/leak/live`, users);
  leakage = await leak(`${agent.bpffs.path}/leak/dead`, size);
});

after(async () => {
  traffic[Symbol.dispose]();
  await agent[Symbol.asyncDispose]();
});

async function pinfold(...words: readonly string[]): Promise<Ran> {
  return await commandLine([...words, '--address', agent.socket]);
}

/** How much of it is alive. */
const leaked = () => leakage.countAlive();

const dead = () => readdirSync(`${agent.bpffs.path}/leak/dead`).length;
const all = size.maps + size.programs;

test('a leak is found, explained, cleaned up, undone and cleaned up again, while users go on', async () => {
  const dry = await pinfold('gc', '--prefix', 'leak');
  assert.equal(dry.code, 0, dry.err);
  assert.equal(dry.out.split('\n').filter((line) => /^leak\/dead\//.test(line)).length, all);
  assert.doesNotMatch(dry.out, /leak\/live/);
  assert.match(
    dry.out,
    /^leak\/dead\/m0 +map:\d+ +orphan_pin +\S+ +\d.* hash map \d+ "pf_leak" and its 0 entries/m,
  );
  assert.match(
    dry.err,
    new RegExp(`^${all} pins holding .* would go into quarantine. Nothing was changed`, 'm'),
  );
  assert.equal(dead(), all);

  const first = await pinfold('gc', '--prefix', 'leak', '--execute');
  assert.equal(first.code, 0, first.err);
  assert.match(first.out, new RegExp(`^${all} of ${all} pins went into quarantine\\.$`, 'm'));
  assert.deepEqual([dead(), leaked()], [0, all]);
  const listed = await pinfold('get', 'quarantine', '--prefix', 'leak');
  assert.match(listed.out, /^ID +PATH +OBJECT +TYPE +NAME +RULE +AGE +EXPIRES IN/);
  assert.match(
    listed.out,
    /^[0-9A-Z]{26} +leak\/dead\/m0 +map:\d+ +hash +pf_leak +orphan_pin +\d+s +(59m|60m|1h)/m,
  );

  const run = /--run ([0-9A-Z]{26}) undoes/.exec(first.err)?.[1] ?? '';
  const undone = await pinfold('restore', '--run', run);
  assert.equal(undone.code, 0, undone.err);
  assert.match(undone.out, /^leak\/dead\/m0 restored \(map \d+ hash pf_leak\)$/m);
  assert.deepEqual([dead(), leaked()], [all, all]);

  const second = await pinfold('gc', '--prefix', 'leak', '--execute', '--grace', '0s');
  assert.equal(second.code, 0, second.err);
  await until('all of it is freed', leaked, (count) => count === 0);
  assert.equal((await pinfold('gc', '--prefix', 'leak')).err.trim(), 'Nothing to clean up.');

  const { rounds, failures } = await traffic.soFar();
  assert.ok(rounds > 10, `only ${rounds} rounds of traffic`);
  assert.equal(failures, 0, traffic.complaints());
});

test('a claimed pin stays, and the command says so', async () => {
  await leak(`${agent.bpffs.path}/leak/parked`, { maps: 2, programs: 0 });
  const claim = await pinfold('claim', 'tester', 'leak/parked/m0');
  assert.equal(claim.code, 0, claim.err);
  const { out, err, code } = await pinfold('gc', '--prefix', 'leak', '--execute', '-o', 'json');
  assert.equal(code, 0, err);
  const answer = JSON.parse(out);
  assert.deepEqual(
    answer.plan.map(({ path }: { path: string }) => path),
    ['leak/parked/m1'],
  );
  assert.equal(answer.operation.outcome, 'applied');
  const dry = await pinfold('gc', '--prefix', 'leak');
  assert.match(dry.err, /^Stays, claimed: leak\/parked\/m0 \(an owner claims it\)$/m);
  for (const [words, code] of [
    [['gc', '--execute', '--dry-run'], 2],
    [['gc', '--rule', 'hidden_holder'], 2],
    [['restore'], 2],
    [['restore', 'leak/parked/m1'], 2],
    [['restore', '00000000000000000000000000'], 3],
  ] as const)
    assert.equal((await pinfold(...words)).code, code, words.join(' '));
});

test('what was below a directory is restored by its prefix, of whole components', async () => {
  for (const name of ['aside', 'aside/one', 'aside/one-more']) mkdirSync(`${agent.bpffs.path}/${name}`);
  for (const name of ['one/m0', 'one/m1', 'one-more/m2'])
    createMap(`${agent.bpffs.path}/aside/${name}`, { name: 'pf_aside' });
  const kept = async (): Promise<readonly string[]> => {
    const { body } = await agent.local.get('/v1/quarantine?prefix=aside').expect(200);
    return body.items.map(({ path }: { readonly path: string }) => path).sort();
  };
  const all = ['aside/one-more/m2', 'aside/one/m0', 'aside/one/m1'];
  // Whoever looks at a map in passing has it stay for now.
  await untilPasses(async () => {
    await pinfold('gc', '--prefix', 'aside', '--execute');
    assert.deepEqual(await kept(), all);
  });
  const back = await pinfold('restore', '--prefix', 'aside/one');
  assert.equal(back.code, 0, back.err);
  assert.deepEqual(back.out.match(/^aside\/one\/m[01] restored \(map \d+ hash pf_aside\)$/gm)?.length, 2);
  assert.deepEqual(await kept(), ['aside/one-more/m2']);
  createMap(`${agent.bpffs.path}/aside/one-more/m2`);
  const taken = await pinfold('restore', '--prefix', 'aside/one-more');
  assert.equal(taken.code, 4);
  assert.match(taken.err, /it holds hash map \d+ .* by now\.\n.*`pinfold mv`/);
  const none = await pinfold('restore', '--prefix', 'aside/on');
  assert.deepEqual([none.code, none.out], [0, '']);
  assert.match(none.err, /^Nothing of that is in quarantine\.$/m);
});
