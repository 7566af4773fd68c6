/**
 * A process that keeps much and replaces it again and again, and prints the most bytes of its heap that were
 * in use or not yet collected; with `half` its heap grows by half.
 *
 * churn [half]
 */

import { getHeapStatistics } from 'node:v8';
import { growByHalf } from '../../../src/agent/observer/heap.ts';

/** As many as outlive two collections of what is young, which are then old. */
const keptCount = 400_000;
const rounds = 50;

if (process.argv[2] === 'half') growByHalf();
const kept: (readonly number[])[] = [];
let peakBytes = 0;
for (let at = 0; at < keptCount * rounds; at++) {
  kept[at % keptCount] = [at, at, at];
  if (at % 50_000 === 0) peakBytes = Math.max(peakBytes, getHeapStatistics().used_heap_size);
}
process.stdout.write(`${peakBytes}\n`);
