import test from 'node:test';
import { parseOwner } from '../../src/model/claim/owner.ts';
import { parsePath } from '../../src/model/path.ts';
import { createMap } from '../support/bpftool.ts';
import { asking } from './changes-fixture.ts';
import { findingAgent } from './finding-fixture.ts';

test('nobody’s pin is an orphan, and is none while somebody claims it', async () => {
  await using at = await findingAgent();
  const { id } = createMap(`${at.bpffs.path}/waiting`, { name: 'pf_waiting' });
  const { claims } = at.observed.agent;
  const owner = parseOwner('job');
  await at.untilFound('orphan_pin', [id], [id]);
  const asked = { mount: undefined, paths: [parsePath('waiting')], adopts: false };
  await claims.put(owner, asked, asking());
  await at.untilFound('orphan_pin', [id], []);
  await claims.release(owner, { unpins: false }, asking());
  await at.untilFound('orphan_pin', [id], [id]);
});
