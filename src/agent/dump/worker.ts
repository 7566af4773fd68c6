import { constants, setPriority } from 'node:os';
import { parentPort } from 'node:worker_threads';
import type { Arena } from '../../kernel/json-code/arena.ts';
import { Arenas } from '../../kernel/json-code/arenas.ts';
import { FdTable } from '../../kernel/sys/fd.ts';
import { isPinfoldError } from '../../model/error.ts';
import { describeError } from '../../model/log.ts';
import { Cancelled, Output } from './output.ts';
import { type Opener, produce } from './produce.ts';
import type { Failure, FromWorker, JobMessage, JobSpec, OpenMap, ToWorker, TypesSpec } from './protocol.ts';
import { produceTypes } from './types.ts';

/** A job of this thread. */
interface RunningJob {
  readonly output: Output;
  /** Takes the answer to the last `open`. */
  opened: (map: OpenMap | undefined) => void;
}

/** What is done with each message. */
interface Server {
  take(message: JobMessage): void;
  /** Cancels all that runs. */
  end(): void;
}

/** Carries out jobs side by side: each has its turn whenever another waits for its reader. */
function serve(send: (message: FromWorker) => void): Server {
  const running = new Map<number, RunningJob>();
  const arenas = new Arenas();
  const run = async (job: number, spec: JobSpec | TypesSpec): Promise<void> => {
    const output = new Output((piece) => send({ type: 'piece', job, piece }));
    const state: RunningJob = { output, opened: () => undefined };
    const opener: Opener = {
      open: (id) =>
        new Promise((resolve) => {
          state.opened = resolve;
          send({ type: 'open', job, id });
        }),
      close: ({ fd }) => send({ type: 'close', job, fd }),
    };
    const taken: Arena[] = [];
    const takeArena = (bytes: number): Arena | undefined => {
      const arena = arenas.take(bytes);
      if (arena !== undefined) taken.push(arena);
      return arena;
    };
    running.set(job, state);
    try {
      const fds = new FdTable();
      const summary =
        'source' in spec
          ? await produceTypes(spec, output)
          : await produce(spec, { output, opener, possibleCpus: spec.possibleCpus, fds, takeArena });
      send({ type: 'done', job, summary });
    } catch (error) {
      send({ type: 'failed', job, failure: failureOf(error) });
    } finally {
      running.delete(job);
      for (const arena of taken) arenas.give(arena);
    }
  };
  const take = (message: JobMessage): void => {
    const job = running.get(message.job);
    switch (message.type) {
      case 'run':
        void run(message.job, message.spec);
        break;
      case 'took':
        job?.output.took(message.slot);
        break;
      case 'cancel':
        job?.output.cancel();
        break;
      case 'opened':
        job?.opened(message.map);
        break;
    }
  };
  return {
    take,
    end: () => {
      for (const { output } of running.values()) output.cancel();
    },
  };
}

function failureOf(error: unknown): Failure {
  if (isPinfoldError(error)) return { code: error.code, details: error.details };
  if (error instanceof Cancelled) return { message: error.message };
  return { message: JSON.stringify(describeError(error)) };
}

/** Where processors are few, the thread that answers goes first; a sandbox may forbid to say so. */
function giveWay(): void {
  try {
    // Of this thread alone (setpriority(2) on Linux).
    setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // All threads are equal, as they were.
  }
}

if (parentPort !== null) {
  const port = parentPort;
  giveWay();
  const server = serve((message) => port.postMessage(message));
  port.on('message', (message: ToWorker) => {
    if (message.type !== 'end') return server.take(message);
    server.end();
    port.close();
  });
}
