import { compileBpf, compileC } from './c-program.ts';
import { type Child, start } from './process.ts';

/** Maps that a C program has made and filled, and holds until this is disposed. */
export interface FilledMaps extends Disposable {
  readonly child: Child;
  /** The id of a map by the name test/support/c/entries.c says. */
  id(name: string): number;
  readonly names: readonly string[];
}

/** Runs a mode of test/support/c/entries.c and waits until its maps are filled. */
export async function filledMaps(mode: string, ...args: readonly string[]): Promise<FilledMaps> {
  return await mapsOf(start(compileC('entries'), [mode, ...args]));
}

/** Waits until a program has made maps, of which it says `{"name":…,"id":…}`, and then `ready`. */
export async function mapsOf(child: Child): Promise<FilledMaps> {
  try {
    await child.line(/^ready$/, 60_000);
  } catch (error) {
    child[Symbol.dispose]();
    throw error;
  }
  const made = child.lines.filter((line) => line.startsWith('{')).map(parseLine);
  const ids = new Map(made.map(({ name, id }) => [name, id]));
  return {
    child,
    names: [...ids.keys()],
    id: (name) => {
      const id = ids.get(name);
      if (id === undefined) throw new Error(`no map ${name} was made`);
      return id;
    },
    [Symbol.dispose]: () => child[Symbol.dispose](),
  };
}

/** The object file with the maps of entries.bpf.c. */
export function entriesObject(): string {
  return compileBpf('entries');
}

function parseLine(line: string): { readonly name: string; readonly id: number } {
  return JSON.parse(line) as { readonly name: string; readonly id: number };
}
