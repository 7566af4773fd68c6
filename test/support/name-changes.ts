import { compileC } from './c-program.ts';
import { start } from './process.ts';

/** A process that changes many names of a bpffs, and is not Pinfold. */
export interface NameChanger extends Disposable {
  /**
   * Carries out one instruction of test/support/c/name-changes.c, such as `make 1000 a`, and waits until it
   * is done.
   */
  tell(instruction: string): Promise<void>;
}

/** Starts it in a directory; what it makes is held by pins alone. */
export async function nameChanger(directory: string): Promise<NameChanger> {
  const child = start(compileC('name-changes'), [directory]);
  await child.line(/^ready$/);
  return {
    tell: async (instruction) => {
      child.write(instruction);
      await child.line(/^done /, 60_000);
    },
    [Symbol.dispose]: () => child[Symbol.dispose](),
  };
}
