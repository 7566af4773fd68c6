import { Worker } from 'node:worker_threads';

/** Memory of JavaScript in one thread; what it reads lies outside of that, in buffers of bounded size. */
const resourceLimits = { maxOldGenerationSizeMb: 128, maxYoungGenerationSizeMb: 2 };

/**
 * Starts a thread that reads maps.
 *
 * What is built is loaded as it is. From the sources, Node 20 cannot load TypeScript in a thread, even where
 * it can in the process; there tsx is registered first.
 */
export function startWorker(): Worker {
  if (!import.meta.filename.endsWith('.ts')) {
    return new Worker(new URL('./worker.js', import.meta.url), { resourceLimits });
  }
  const source = new URL('./worker.ts', import.meta.url);
  if ('typescript' in process.features) return new Worker(source, { resourceLimits });
  const load = `import('tsx/esm/api').then(({ register }) => {
    register();
    return import(${JSON.stringify(source.href)});
  })`;
  return new Worker(load, { eval: true, resourceLimits });
}
