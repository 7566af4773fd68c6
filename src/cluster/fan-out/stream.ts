import { limits } from '../../model/limits.ts';
import type { Unreachable } from '../../model/schema/cluster.ts';
import { Absentees } from './absentees.ts';
import type { FleetListRequest } from './list.ts';
import { type NodeLines, readNodeLines } from './node-lines.ts';

/** What a whole stream came to. */
export interface FleetSummary {
  readonly count: number;
  readonly nodes: number;
  readonly complete: boolean;
  readonly unreachable: readonly Unreachable[];
}

/**
 * The whole list, as nodes answer, as lines of JSON: in each node's own order, but the nodes as they come. So
 * many are asked at a time, and no more is read of them than somebody takes.
 *
 * @throws PinfoldError where all that were asked refuse the question itself
 */
export async function* streamFleet(
  request: FleetListRequest,
): AsyncGenerator<Buffer, FleetSummary, undefined> {
  const channel = new Channel<NodeLines>(limits.nodePagesAhead);
  const stopping = new AbortController();
  const signal = AbortSignal.any([request.signal, stopping.signal]);
  const absentees = new Absentees();
  const left = request.nodes.values();
  const work = async (): Promise<void> => {
    for (const { name, target, reason } of left) {
      if (signal.aborted) return;
      if (target === undefined) {
        absentees.add({ node: name, reason });
        continue;
      }
      try {
        let after: string | undefined;
        do {
          const slice = { limit: limits.nodePageItems, after, signal };
          const part = await readNodeLines(request.caller, target, request.question, slice);
          absentees.answered();
          if (part.count > 0) await channel.put(part);
          after = part.next;
        } while (after !== undefined && !signal.aborted);
      } catch (error) {
        absentees.note(name, error);
      }
    }
  };
  const workers = Array.from({ length: Math.min(limits.nodesAtOnce, request.nodes.length) }, work);
  const all = Promise.all(workers).then(
    () => channel.end(),
    (error: unknown) => channel.fail(error),
  );
  let count = 0;
  try {
    for await (const part of channel) {
      count += part.count;
      yield part.lines;
    }
  } finally {
    stopping.abort();
    channel.close();
    await all;
  }
  const unreachable = absentees.settle();
  return { count, nodes: request.nodes.length, complete: unreachable.length === 0, unreachable };
}

/** Hands values from several writers to one reader; writers wait while it is full. */
class Channel<Value> {
  readonly #max: number;
  readonly #values: Value[] = [];
  #wakeReader: () => void = () => undefined;
  #wakeWriters: (() => void)[] = [];
  #ended: { readonly error?: unknown } | undefined;

  constructor(max: number) {
    this.#max = max;
  }

  async put(value: Value): Promise<void> {
    while (this.#values.length >= this.#max && this.#ended === undefined) {
      await new Promise<void>((resolve) => this.#wakeWriters.push(resolve));
    }
    if (this.#ended === undefined) this.#values.push(value);
    this.#wakeReader();
  }

  end(): void {
    this.#ended ??= {};
    this.#wakeReader();
  }

  fail(error: unknown): void {
    this.#ended ??= { error };
    this.#wakeReader();
  }

  /** The reader takes no more; whoever waits to write goes on and finds that out. */
  close(): void {
    this.#ended ??= {};
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Value, void, undefined> {
    for (;;) {
      const value = this.#values.shift();
      if (value !== undefined) {
        this.#wake();
        yield value;
      } else if (this.#ended !== undefined) {
        if ('error' in this.#ended) throw this.#ended.error;
        return;
      } else {
        await new Promise<void>((resolve) => {
          this.#wakeReader = resolve;
        });
      }
    }
  }

  #wake(): void {
    const waiting = this.#wakeWriters;
    this.#wakeWriters = [];
    for (const wake of waiting) wake();
  }
}
