import { Worker, type WorkerOptions } from 'node:worker_threads';
import type { ReaderData } from './reader.ts';

/** It reads small texts and posts small messages. */
const resourceLimits = { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2, stackSizeMb: 1 };

/**
 * Starts the thread of `reader.ts`, which keeps no process alive.
 *
 * What is built is loaded as it is. From the sources, Node 20 cannot load TypeScript in a thread, even where
 * it can in the process; there tsx is registered first.
 */
export function startReader(data: ReaderData): Worker {
  const options: WorkerOptions = { workerData: data, transferList: [data.port], resourceLimits };
  const worker = makeWorker(options);
  worker.unref();
  return worker;
}

function makeWorker(options: WorkerOptions): Worker {
  if (!import.meta.filename.endsWith('.ts'))
    return new Worker(new URL('./reader.js', import.meta.url), options);
  const source = new URL('./reader.ts', import.meta.url);
  if ('typescript' in process.features) return new Worker(source, options);
  const load = `import('tsx/esm/api').then(({ register }) => {
    register();
    return import(${JSON.stringify(source.href)});
  })`;
  return new Worker(load, {
    ...options,
    eval: true,
    resourceLimits: { ...resourceLimits, maxOldGenerationSizeMb: 128 },
  });
}
