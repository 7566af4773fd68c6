import { compileC } from './c-program.ts';
import { start } from './process.ts';

/** One object that was made, of a type no other has. */
export interface MadeObject {
  readonly kind: 'map' | 'program' | 'link';
  /** The type's name as bpftool says it. */
  readonly type: string;
  readonly id: number;
  /** `map_hash`, `prog_xdp`, `link_iter`…: its name in the directory. */
  readonly name: string;
  /** Where it is pinned; absent when it is only held. */
  readonly path?: string;
}

/** One type that this kernel refuses, and the errno's name. */
export interface RefusedType {
  readonly kind: MadeObject['kind'];
  readonly type: string;
  readonly error: string;
}

/** One object of every type this kernel can make, held by a process of their own. */
export interface ObjectZoo extends Disposable {
  readonly pid: number;
  readonly made: readonly MadeObject[];
  readonly refused: readonly RefusedType[];
  /** Ends the process and waits for it: only the pins hold the objects from then on. */
  release(): Promise<void>;
}

/**
 * Makes one object of each map, program and link type (32, 28 and 9 of them on Linux 6.18).
 *
 * With `directory`, a directory in a bpffs, each is pinned there under its `name`.
 */
export async function makeObjects(directory?: string): Promise<ObjectZoo> {
  const child = start(compileC('make-objects'), [directory ?? '-']);
  try {
    await child.line(/^ready$/);
  } catch (error) {
    child[Symbol.dispose]();
    throw error;
  }
  const results = child.lines.slice(0, -1).map((line) => JSON.parse(line) as MadeObject | RefusedType);
  return {
    pid: child.pid,
    made: results.filter((result) => 'id' in result),
    refused: results.filter((result) => 'error' in result),
    release: async () => {
      child.end();
      await child.exit();
    },
    [Symbol.dispose]: () => child[Symbol.dispose](),
  };
}
