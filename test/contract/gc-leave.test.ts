import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { testAgent } from '../support/agent.ts';
import { mountBpffs } from '../support/bpffs.ts';
import { createMap, pinnedMap } from '../support/bpftool.ts';
import { commandLine } from '../support/command-line.ts';
import { tempDir } from '../support/temp-dir.ts';
import { until } from '../support/until.ts';

test('doctor counts what is in quarantine, and leave gives names back that are not taken', async () => {
  using bpffs = mountBpffs('mode=0700');
  using dir = tempDir('leave');
  const stateDir = join(dir.path, 'state');
  const at = (name: string): string => join(bpffs.path, name);
  const places = ['--bpffs', bpffs.path, '--state-dir', stateDir, '--run-dir', join(dir.path, 'run')];
  mkdirSync(at('leak'));
  const { id } = createMap(at('leak/one'));
  const two = createMap(at('leak/two'));
  {
    await using agent = await testAgent({ bpffs, stateDir });
    const { body } = await agent.local.post('/v1/gc').send({ prefix: 'leak', min_age: '0s' }).expect(202);
    await until(
      'the clean-up is over',
      async () => (await agent.local.get(`/v1/operations/${body.operation_id}`)).body.outcome,
      (outcome) => outcome === 'applied',
    );
    const running = await commandLine(['doctor', ...places, '--address', agent.socket]);
    assert.match(running.out, /^(ok|warn) +staging +(leftovers: )?2 in quarantine$/m);
  }
  const taken = createMap(at('leak/two'));
  const doctor = await commandLine(['doctor', ...places]);
  assert.match(doctor.out, /^warn +staging +leftovers: 2 in quarantine$/m);

  const plan = await commandLine(['leave', '--dry-run', ...places]);
  assert.match(plan.out, /^\d+:\d+ leak\/one would be restored$/m);
  assert.equal(readdirSync(at('pinfold-staging')).length, 2);

  const left = await commandLine(['leave', ...places]);
  assert.equal(left.code, 4, 'what has no name to go back to is nobody else’s');
  assert.match(left.out, /^\d+:\d+ leak\/one restored$/m);
  assert.match(left.out, /kept: nothing else holds the object/);
  assert.equal(pinnedMap(at('leak/one')).id, id);
  assert.equal(pinnedMap(at('leak/two')).id, taken.id);
  assert.equal(readdirSync(at('pinfold-staging')).length, 1, `map ${two.id} is kept`);

  const forced = await commandLine(['leave', '--force', ...places]);
  assert.equal(forced.code, 0, forced.err);
  assert.equal(existsSync(at('pinfold-staging')), false);
});
