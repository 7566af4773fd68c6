import { compileC } from './c-program.ts';
import { type Child, start } from './process.ts';

/** One object that the holder process has open. */
export interface Held {
  /** Its number within the holder, as later instructions name it. */
  readonly index: number;
  /** The descriptor's number in the holder process, as `{"pid","fd"}` sources want it. */
  readonly fd: number;
  /** The object's id; absent for plain files. */
  readonly id: number;
}

/** A process that is not ours and keeps BPF objects open. */
export interface Holder extends Disposable {
  readonly pid: number;
  /** What the first instructions gave, in their order. */
  readonly objects: readonly Held[];
  /** Gives one more instruction (see test/support/c/hold.c) and returns what came of it. */
  tell(instruction: string): Promise<Held>;
  /** The same, where failing is expected: the errno's name, or undefined if it worked. */
  refusal(instruction: string): Promise<string | undefined>;
  /** Ends the process and waits for it: everything it held is let go. */
  release(): Promise<void>;
}

/**
 * Starts a process that carries out the instructions and then holds what they gave.
 *
 * The instructions stand in test/support/c/hold.c, e.g. `map:hash:4:8:16:pf_held:0` and `pin:0:/path`.
 * @throws Error when one of them fails.
 */
export async function hold(...instructions: readonly string[]): Promise<Holder> {
  return await holdAs(start, ...instructions);
}

/** The same where the process is started in another way, such as by `Namespaces.start`. */
export async function holdAs(
  startIt: (command: string, args: readonly string[]) => Child,
  ...instructions: readonly string[]
): Promise<Holder> {
  const child = startIt(compileC('hold'), instructions);
  try {
    await child.line(/^ready$/);
    const objects = child.lines.slice(0, -1).map(parseReply);
    const answer = async (instruction: string): Promise<Reply> => {
      child.write(instruction);
      return JSON.parse(await child.line()) as Reply;
    };
    return {
      pid: child.pid,
      objects: objects.filter((held) => held.index >= 0),
      tell: async (instruction) => accept(await answer(instruction)),
      refusal: async (instruction) => (await answer(instruction)).error,
      release: async () => {
        child.end();
        await child.exit();
      },
      [Symbol.dispose]: () => child[Symbol.dispose](),
    };
  } catch (error) {
    child[Symbol.dispose]();
    throw error;
  }
}

interface Reply extends Partial<Held> {
  readonly op: string;
  readonly error?: string;
}

function parseReply(line: string): Held {
  return accept(JSON.parse(line) as Reply);
}

function accept(reply: Reply): Held {
  if (reply.error !== undefined) throw new Error(`the holder's ${reply.op} failed with ${reply.error}`);
  return { index: reply.index ?? -1, fd: reply.fd ?? -1, id: reply.id ?? 0 };
}
