import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { bpftool } from './bpftool.ts';
import { compileC } from './c-program.ts';
import { type Child, start } from './process.ts';

/** What is leaked: pinned maps and programs that nobody holds. */
export interface LeakSize {
  readonly maps: number;
  readonly programs: number;
}

/** So many instructions are on their way to the helper at a time. */
const chunk = 300;

/** Objects that were leaked. */
export interface Leaked {
  /** How many of them are alive, as bpftool counts them. */
  countAlive(): number;
}

/** Leaks maps as `m0`… and programs as `p0`… in a directory, by a process that then is gone. */
export async function leak(directory: string, { maps, programs }: LeakSize): Promise<Leaked> {
  mkdirSync(directory, { recursive: true });
  using helper = start(compileC('hold'));
  await helper.line(/^ready$/);
  let said = 0;
  const makeOne = (what: string, path: string): void => {
    // Three answers each, and every instruction that gives an object takes the next number.
    helper.write(what);
    helper.write(`pin:${count}:${path}`);
    helper.write(`close:${count}`);
    count += 1;
    said += 3;
  };
  let count = 0;
  for (let index = 0; index < maps + programs; index++) {
    const isMap = index < maps;
    const name = isMap ? `m${index}` : `p${index - maps}`;
    makeOne(isMap ? 'map:hash:4:64:64:pf_leak:0' : 'prog:socket_filter:pf_leak', join(directory, name));
    if (index % chunk === chunk - 1) await saidAll(helper, said + 1);
  }
  await saidAll(helper, said + 1);
  const refused = helper.lines.find((line) => line.includes('"error"'));
  if (refused !== undefined) throw new Error(`the leak could not be made: ${refused}`);
  helper.end();
  await helper.exit();
  const made = helper.lines.flatMap((line) => idOf(line) ?? []);
  return { countAlive: () => countIn('map', made) + countIn('prog', made) };
}

/** What the helper says of an object it has made (test/support/c/hold.c); nothing of its other answers. */
function idOf(line: string): Made | undefined {
  const [, kind, id] = /^\{"op":"(map|prog)",.*"id":(\d+)\}$/.exec(line) ?? [];
  return kind === undefined ? undefined : { kind, id: Number(id) };
}

interface Made {
  readonly kind: string;
  readonly id: number;
}

function countIn(kind: 'map' | 'prog', made: readonly Made[]): number {
  const ids = new Set(made.flatMap((each) => (each.kind === kind ? each.id : [])));
  const all = bpftool<{ id: number; name?: string }[]>(kind, 'show');
  return all.filter(({ id, name }) => name === 'pf_leak' && ids.has(id)).length;
}

async function saidAll(helper: Child, count: number): Promise<void> {
  for (const deadline = performance.now() + 60_000; helper.lines.length < count; ) {
    if (performance.now() > deadline) throw new Error(`the helper said only: ${helper.lines.at(-1)}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** How traffic has gone so far. */
export interface TrafficSoFar {
  readonly rounds: number;
  readonly failures: number;
  /** The longest time between two rounds. */
  readonly gapUs: number;
}

/** Users of pinned objects whose traffic goes on until this is disposed of. */
export interface Traffic extends Disposable {
  soFar(): Promise<TrafficSoFar>;
  /** What failed, in words. */
  complaints(): string;
}

/** Starts users in a directory of a bpffs (test/support/c/traffic.c). */
export async function startTraffic(directory: string, users: number): Promise<Traffic> {
  mkdirSync(directory, { recursive: true });
  const child = start(compileC('traffic'), [directory, String(users)]);
  await child.line(/^ready$/);
  return {
    soFar: async () => {
      child.write('so far');
      const [, rounds, failures, gapUs] =
        /^rounds (\d+) failures (\d+) gap_us (\d+)$/.exec(await child.line()) ?? [];
      return { rounds: Number(rounds), failures: Number(failures), gapUs: Number(gapUs) };
    },
    complaints: () => child.stderr(),
    [Symbol.dispose]: () => child[Symbol.dispose](),
  };
}
