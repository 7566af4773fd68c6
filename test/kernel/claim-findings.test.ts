import test from 'node:test';
import { parseOwner } from '../../src/model/claim/owner.ts';
import { parsePath } from '../../src/model/path.ts';
import { createMap } from '../support/bpftool.ts';
import { hold } from '../support/hold.ts';
import { asking } from './changes-fixture.ts';
import { findingAgent, idsOf, pinnedCircle } from './finding-fixture.ts';

test('nobody’s pin is an orphan, nor is a circle one, while somebody claims it', async () => {
  await using at = await findingAgent();
  const { path } = at.bpffs;
  const { id } = createMap(`${path}/waiting`, { name: 'pf_waiting' });
  using maker = await hold(...pinnedCircle(path));
  const circle = idsOf(maker.objects);
  await maker.release();
  const { claims } = at.observed.agent;
  const owner = parseOwner('job');
  await at.untilFound('orphan_pin', [id], [id]);
  await at.untilFound('orphan_circle', circle, circle.slice(0, 1));
  // One of the two pins is enough: what the claim keeps keeps the other.
  const paths = ['waiting', 'program'].map(parsePath);
  const asked = { mount: undefined, paths, adopts: false };
  await claims.put(owner, asked, asking());
  await at.untilFound('orphan_pin', [id], []);
  await at.untilFound('orphan_circle', circle, []);
  await claims.release(owner, { unpins: false }, asking());
  await at.untilFound('orphan_pin', [id], [id]);
  await at.untilFound('orphan_circle', circle, circle.slice(0, 1));
});
