import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { extname, join } from 'node:path';
import test from 'node:test';
import { Heap, heapTools } from '../../src/agent/observer/heap.ts';
import { realClock } from '../support/observed.ts';

const mebibyte = 1024 * 1024;

/** A heap whose size and work the test sets; a collection leaves `liveBytes`. */
function heapOf(liveBytes: number) {
  const state = { heapBytes: 120 * mebibyte, usedMs: 0, atMs: 0 };
  let collections = 0;
  const heap = new Heap({
    read: () => ({ ...state }),
    collect: async () => {
      collections++;
      state.heapBytes = liveBytes;
    },
  });
  const after = async (usedMs: number): Promise<number> => {
    state.atMs += 10_000;
    state.usedMs += usedMs;
    await heap.look();
    return collections;
  };
  return { state, after };
}

test('garbage is collected once the process is at rest, and not again while there is little', async () => {
  const { state, after } = heapOf(60 * mebibyte);
  assert.equal(await after(5000), 0, 'half a processor is no rest');
  assert.equal(await after(100), 1);
  state.heapBytes += 12 * mebibyte;
  assert.equal(await after(100), 1, 'not worth it');
  state.heapBytes += 5 * mebibyte;
  assert.equal(await after(100), 2);
});

test('what is alive is not collected for again', async () => {
  const { state, after } = heapOf(200 * mebibyte);
  state.heapBytes = 300 * mebibyte;
  assert.equal(await after(100), 1);
  assert.equal(await after(100), 1);
});

test('a heap that has shrunk by itself is measured by its least size', async () => {
  const { state, after } = heapOf(60 * mebibyte);
  assert.equal(await after(100), 1);
  state.heapBytes = 40 * mebibyte;
  assert.equal(await after(100), 1);
  state.heapBytes = 64 * mebibyte;
  assert.equal(await after(100), 2);
});

test('the engine gives back what nothing refers to', async () => {
  const tools = heapTools(realClock);
  let garbage: number[][] | undefined = Array.from({ length: 200 }, () => Array(50_000).fill(1.5));
  const before = tools.read().heapBytes;
  assert.equal(garbage.length, 200);
  garbage = undefined;
  await tools.collect();
  assert.ok(before - tools.read().heapBytes > 50 * mebibyte);
});

test('a heap that grows by half takes much less while what is old is replaced', () => {
  const churn = join(import.meta.dirname, 'support', `churn${extname(import.meta.filename)}`);
  const peakOf = (...words: string[]): number =>
    Number(execFileSync(process.execPath, [...process.execArgv, churn, ...words], { encoding: 'utf8' }));
  const [half, asItIs] = [peakOf('half'), peakOf()];
  assert.ok(half > mebibyte && half < 0.75 * asItIs, `${half} and ${asItIs} bytes`);
});
