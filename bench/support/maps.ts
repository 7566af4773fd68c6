import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { compileC } from '../../test/support/c-program.ts';
import { type Child, start } from '../../test/support/process.ts';

/**
 * Makes `count` maps, pins each in one of 50 directories and lets go of them, so that only the pins hold
 * them.
 * Answers the holding process for `keep`, which then holds every map as well.
 */
export async function makePinnedMaps(directory: string, count: number, keep = false): Promise<Child> {
  for (let index = 0; index < 50; index++) mkdirSync(join(directory, `d${index}`), { recursive: true });
  const holder = start(compileC('hold'));
  await holder.line(/ready/);
  // The helper numbers what it made from 0, and says one line for each instruction.
  for (let index = 0; index < count; index++) {
    holder.write(`map:hash:4:8:16:pf_bench:0`);
    holder.write(`pin:${index}:${join(directory, `d${index % 50}`, `m${index}`)}`);
    if (!keep) holder.write(`close:${index}`);
    if (index % 500 === 499 || index === count - 1) await lines(holder, (index + 1) * (keep ? 2 : 3));
  }
  return holder;
}

async function lines(holder: Child, count: number): Promise<void> {
  for (let deadline = performance.now() + 30_000; holder.lines.length < count; ) {
    if (performance.now() > deadline)
      throw new Error(`the holder said only: ${holder.lines.slice(-3).join(' / ')}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
