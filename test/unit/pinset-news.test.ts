import assert from 'node:assert/strict';
import test from 'node:test';
import { newsOfPinSet, type ToldPinSet } from '../../src/model/cluster/pinset/news.ts';
import type { DesiredDocument, RolloutDocument } from '../../src/model/schema/pinset.ts';

const time = '2026-11-23T10:00:00.000Z';

const wish = (generation: number, more: Partial<DesiredDocument> = {}): DesiredDocument => ({
  ...{ generation, spec: { all: true }, time, actor: `api:g${generation}` },
  ...more,
});

const rollout = (
  generation: number,
  state: RolloutDocument['state'],
  more: Partial<RolloutDocument> = {},
): RolloutDocument => ({ generation, state, open: [], started_at: time, time, ...more });

/** What each step of a story tells: `type by actor`. */
function story(steps: readonly (readonly [DesiredDocument, RolloutDocument?])[]): readonly string[] {
  let told: ToldPinSet | undefined;
  return steps.map(([desired, current]) => {
    const news = newsOfPinSet(told, { name: 'acl', desired, rollout: current, time });
    told = news.told;
    return news.events.map(({ type, actor }) => `${type} by ${actor}`).join(', ');
  });
}

test('what people want, and where its rollout stands, is told once each, with who did it', () => {
  const failed = { reason: 'failed: a' };
  assert.deepEqual(
    story([
      [wish(1)],
      [wish(1), rollout(1, 'progressing', { open: ['a'] })],
      [wish(1), rollout(1, 'paused', failed)],
      [wish(1), rollout(1, 'paused', { ...failed, time: 'later' })],
      [wish(1), rollout(1, 'paused', { ...failed, paused_by: 'api:ann' })],
      [wish(1), rollout(1, 'progressing', { resumed_by: 'api:bob' })],
      [wish(1), rollout(1, 'done', { resumed_by: 'api:bob' })],
      [wish(2), rollout(1, 'done')],
      [wish(2), rollout(2, 'done')],
      [wish(3, { deleted: true }), rollout(2, 'done')],
      [wish(3, { deleted: true }), rollout(3, 'done')],
      [wish(4), rollout(4, 'paused', failed)],
      [wish(4), rollout(4, 'progressing')],
      [wish(4), rollout(4, 'paused', { paused_by: 'api:ann' })],
      [wish(4), rollout(4, 'done', { resumed_by: 'api:bob' })],
    ]),
    [
      'pinset.created by api:g1',
      '',
      'pinset.paused by pinset:acl@1',
      '',
      'pinset.paused by api:ann',
      'pinset.resumed by api:bob',
      'pinset.rolled_out by api:g1',
      'pinset.updated by api:g2',
      'pinset.rolled_out by api:g2',
      'pinset.deleted by api:g3',
      '',
      'pinset.created by api:g4, pinset.paused by pinset:acl@4',
      'pinset.resumed by pinset:acl@4',
      'pinset.paused by api:ann',
      'pinset.resumed by api:bob, pinset.rolled_out by api:g4',
    ],
  );
});

test('a store that went back tells nothing, and one that was deleted before it was heard of neither', () => {
  assert.deepEqual(story([[wish(5)], [wish(4)], [wish(5)], [wish(6)]]), [
    'pinset.created by api:g5',
    '',
    '',
    'pinset.updated by api:g6',
  ]);
  assert.deepEqual(story([[wish(2, { deleted: true })], [wish(3)]]), ['', 'pinset.created by api:g3']);
});

test('an event names the set and its generations', () => {
  const told = { generation: 1, isDeleted: false, rollout: 'done' };
  const { events } = newsOfPinSet(told, { name: 'acl', desired: wish(3), rollout: undefined, time });
  assert.deepEqual(events, [
    {
      ...{ time, type: 'pinset.updated', subject: { name: 'acl' }, actor: 'api:g3' },
      ...{ before: { generation: 1 }, after: { generation: 3, wanted_at: time } },
    },
  ]);
});
