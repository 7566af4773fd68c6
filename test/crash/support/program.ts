import { join } from 'node:path';

/**
 * The file of a victim to start. The build makes a single one of each, which starts in two thirds of the time
 * (docs/adr/0046); from the sources it is the source.
 */
export function victimFile(name: 'victim' | 'claim-victim'): string {
  const isBuilt = import.meta.filename.endsWith('.js');
  return join(import.meta.dirname, isBuilt ? `${name}.bundle.mjs` : `${name}.ts`);
}
