import { compileC } from './c-program.ts';
import { start } from './process.ts';

/** A process that changes many names of a bpffs, and is not Pinfold. */
export interface NameChanger extends Disposable {
  readonly pid: number;
  /**
   * Carries out one instruction of test/support/c/name-changes.c, such as `make 1000 a`, and waits until it
   * is done.
   *
   * @throws Error where a name was not as the instruction needs it
   */
  tell(instruction: string): Promise<void>;
  /** The same beside others who change the same names: answers how many names could not be changed. */
  attempt(instruction: string): Promise<number>;
}

/** Starts it in a directory; what it makes is held by pins alone, and called `name` and a number. */
export async function nameChanger(directory: string, name: `pf_${string}` = 'pf_n'): Promise<NameChanger> {
  const child = start(compileC('name-changes'), [directory, name]);
  await child.line(/^ready$/);
  const attempt = async (instruction: string): Promise<number> => {
    child.write(instruction);
    return Number((await child.line(/^done \d+$/, 60_000)).slice('done '.length));
  };
  return {
    pid: child.pid,
    attempt,
    tell: async (instruction) => {
      const refused = await attempt(instruction);
      if (refused > 0) throw new Error(`${instruction}: ${refused} names were not as they should be`);
    },
    [Symbol.dispose]: () => child[Symbol.dispose](),
  };
}
