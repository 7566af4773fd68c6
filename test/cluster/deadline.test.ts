import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import test from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { withDeadline } from '../../src/cluster/deadline.ts';
import { fleetOf, question } from './fan-out-fixture.ts';

setFlagsFromString('--expose-gc');
const collectGarbage: unknown = runInNewContext('gc');

/** Collects garbage now and again, until it is stopped. */
function collecting(): NodeJS.Timeout {
  assert.ok(typeof collectGarbage === 'function');
  return setInterval(() => collectGarbage(), 50);
}

test('a node that says nothing is waited for no longer because garbage was collected', async () => {
  const { fleet } = await fleetOf({ silent: () => undefined });
  const timer = collecting();
  try {
    const page = await fleet.page(question({ deadlineMs: 500 }), { limit: 10, from: undefined });
    assert.match(page.unreachable[0]?.reason ?? '', /took too long/);
    const { unreachable } = await fleet.askEach(['silent'], {
      ...question(),
      ...{ method: 'GET', target: '/v1/pins?limit=5', deadlineMs: 500 },
    });
    assert.match(unreachable[0]?.reason ?? '', /took too long/);
  } finally {
    clearInterval(timer);
  }
});

test('work ends with the one that asked for it, also before it began, and leaves no listener', async () => {
  const asking = new AbortController();
  await withDeadline(asking.signal, 60_000, () => Promise.resolve());
  assert.deepEqual(getEventListeners(asking.signal, 'abort'), []);
  const work = (signal: AbortSignal): Promise<string> =>
    new Promise((resolve) => {
      if (signal.aborted) resolve('before');
      signal.addEventListener('abort', () => resolve('meanwhile'));
    });
  const done = withDeadline(asking.signal, 60_000, work);
  asking.abort();
  assert.equal(await done, 'meanwhile');
  assert.equal(await withDeadline(asking.signal, 60_000, work), 'before');
  await assert.rejects(
    withDeadline(new AbortController().signal, 60_000, () => Promise.reject(new Error('of the work'))),
    /of the work/,
  );
});
