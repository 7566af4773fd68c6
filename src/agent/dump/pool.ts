import { once } from 'node:events';
import type { Worker } from 'node:worker_threads';
import type { HeldObject } from '../../kernel/kernel.ts';
import { isPinfoldError, PinfoldError } from '../../model/error.ts';
import { limits } from '../../model/limits.ts';
import type { DumpHolds } from './dump-holds.ts';
import { memoryOf } from './memory.ts';
import type { FromWorker, JobMessage, JobSpec, OpenMap, ToWorker, TypesSpec } from './protocol.ts';
import { RunningJob } from './running-job.ts';

/** What a pool is made of. */
export interface PoolParts {
  readonly holds: DumpHolds;
  /** Opens a map by its id. @throws PinfoldError object_not_found, permission_denied */
  readonly hold: (mapId: number) => HeldObject;
  readonly startWorker: () => Worker;
  /** Milliseconds that never go backwards. */
  readonly monotonicMs: () => number;
}

/** A thread, and the jobs it has. */
interface Thread {
  readonly worker: Worker;
  readonly jobs: Set<number>;
  idle: NodeJS.Timeout | undefined;
}

/** What a job takes of what there is. */
type Place = Pick<Entry, 'isStream' | 'memoryBytes'>;

/** A job, and the maps that are open for it by their descriptors. */
interface Entry {
  readonly running: RunningJob;
  readonly thread: Thread;
  readonly isStream: boolean;
  /** The first job of what it is a part of: parts have one place together. */
  readonly whole: RunningJob;
  /** What its entries may take, estimated. */
  readonly memoryBytes: number;
  /** Its place is another's, and it will end. */
  isCut: boolean;
  readonly open: Map<number, Disposable>;
}

/**
 * Threads that read maps and write types. They are started when there is work and end when there is none for
 * a while; each has several jobs at once, of which those with slow readers only wait.
 *
 * Maps are opened and closed here, not there: see DumpHolds.
 */
export class DumpPool {
  readonly #parts: PoolParts;
  readonly #threads = new Set<Thread>();
  /** Those that were asked to end and have not yet. */
  readonly #ending = new Set<Promise<void>>();
  readonly #jobs = new Map<number, Entry>();
  #nextJob = 1;
  #isStopped = false;

  constructor(parts: PoolParts) {
    this.#parts = parts;
  }

  /**
   * Begins to read a map that is held; the pool closes it when the job has ended, and at once if it refuses.
   *
   * @param partOf - the first job of the dump it belongs to, whose place it shares
   * @throws PinfoldError too_many_requests, not_ready
   */
  start(held: HeldObject, spec: Omit<JobSpec, 'map'>, partOf?: RunningJob): RunningJob {
    const hold = this.#parts.holds.add(held);
    try {
      const map = openMapOf(held);
      const isStream = spec.task.kind === 'stream';
      const memoryBytes = memoryOf({ ...spec, map });
      if (partOf === undefined) this.#assertRoom({ isStream, memoryBytes });
      const open = new Map([[map.fd, hold]]);
      return this.#run({ ...spec, map }, { isStream, memoryBytes, partOf, open });
    } catch (error) {
      hold[Symbol.dispose]();
      throw error;
    }
  }

  /**
   * Begins to write types, which takes a second of those of a kernel. It has the place of a dump.
   *
   * @throws PinfoldError too_many_requests, not_ready
   */
  startTypes(spec: TypesSpec): RunningJob {
    const place = { isStream: true, memoryBytes: 0 };
    this.#assertRoom(place);
    return this.#run(spec, { ...place, partOf: undefined, open: new Map() });
  }

  #run(
    spec: JobSpec | TypesSpec,
    kind: Place & Pick<Entry, 'open'> & { readonly partOf: RunningJob | undefined },
  ): RunningJob {
    const { partOf, ...place } = kind;
    const job = this.#nextJob++;
    const thread = this.#threadFor();
    const actions = {
      took: (slot: number) => this.#say(job, { type: 'took', job, slot }),
      cancel: () => this.#say(job, { type: 'cancel', job }),
    };
    const info = 'map' in spec ? spec.map.info : { max_entries: 0 };
    const running = new RunningJob(info, actions, this.#parts.monotonicMs);
    this.#jobs.set(job, { ...place, running, thread, whole: partOf ?? running, isCut: false });
    thread.jobs.add(job);
    clearTimeout(thread.idle);
    this.#say(job, { type: 'run', job, spec });
    return running;
  }

  /** How many jobs there are, cancelled ones that have not ended among them. */
  get size(): number {
    return this.#jobs.size;
  }

  /** Ends all threads, and then closes what they read. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const thread of this.#threads) this.#end(thread);
    await Promise.all(this.#ending);
  }

  /** @throws PinfoldError */
  #assertRoom({ isStream, memoryBytes }: Place): void {
    if (this.#isStopped) throw new PinfoldError('not_ready', { detail: 'The agent is stopping.' });
    const running = [...this.#jobs.values()].filter((job) => !job.isCut);
    const most = isStream ? limits.dumpsMax : limits.contentReadsMax;
    const wholes = partsByWhole(running.filter((job) => job.isStream === isStream));
    if (wholes.length >= most && !(isStream && cutStalled(wholes))) {
      refuse(isStream ? 'dumps' : 'content_reads', `${most} ${isStream ? 'dumps' : 'reads of map contents'}`);
    }
    const taken = running.reduce((sum, job) => sum + job.memoryBytes, 0);
    if (taken === 0 || taken + memoryBytes <= limits.dumpMemoryBytes) return;
    const large = running.filter((job) => job.isStream && job.memoryBytes > limits.dumpChunkBytes);
    if (!cutStalled(partsByWhole(large))) refuse('dump_memory', 'Reads of maps whose values are large');
  }

  /** An idle thread, or a new one while there may be more, or the one with the fewest jobs. */
  #threadFor(): Thread {
    const [least] = [...this.#threads].sort((a, b) => a.jobs.size - b.jobs.size);
    if (least !== undefined && (least.jobs.size === 0 || this.#threads.size >= limits.dumpWorkersMax)) {
      return least;
    }
    const thread: Thread = { worker: this.#parts.startWorker(), jobs: new Set(), idle: undefined };
    thread.worker.unref();
    thread.worker.on('message', (message: FromWorker) => this.#heard(message));
    thread.worker.on('error', (error) =>
      this.#lost(thread, new Error('a thread that reads maps broke', { cause: error })),
    );
    thread.worker.on('exit', () => this.#lost(thread, new Error('a thread that reads maps ended')));
    this.#threads.add(thread);
    return thread;
  }

  #say(job: number, message: JobMessage): void {
    this.#jobs.get(job)?.thread.worker.postMessage(message);
  }

  #heard(message: FromWorker): void {
    const { job } = message;
    const entry = this.#jobs.get(job);
    if (entry === undefined) return;
    switch (message.type) {
      case 'open':
        this.#say(job, { type: 'opened', job, map: this.#openFor(entry, message.id) });
        break;
      case 'close':
        entry.open.get(message.fd)?.[Symbol.dispose]();
        entry.open.delete(message.fd);
        break;
      case 'done':
      case 'failed':
        this.#ended(job, entry);
        entry.running.take(message);
        break;
      case 'piece':
        entry.running.take(message);
        break;
    }
  }

  /** A map inside of the one a job reads; undefined where it is gone or must not be opened. */
  #openFor(entry: Entry, id: number): OpenMap | undefined {
    try {
      const held = this.#parts.hold(id);
      const map = openMapOf(held);
      entry.open.set(map.fd, this.#parts.holds.add(held));
      return map;
    } catch (error) {
      if (isPinfoldError(error)) return undefined;
      throw error;
    }
  }

  #ended(job: number, { thread, open }: Entry): void {
    this.#jobs.delete(job);
    thread.jobs.delete(job);
    for (const hold of open.values()) hold[Symbol.dispose]();
    if (thread.jobs.size > 0) return;
    thread.idle = setTimeout(() => this.#end(thread), limits.dumpWorkerIdleMs);
    thread.idle.unref();
  }

  /** Of a thread that gets no more work. */
  #end(thread: Thread): void {
    clearTimeout(thread.idle);
    this.#threads.delete(thread);
    const ending = endOf(thread.worker).then(() => {
      this.#ending.delete(ending);
      this.#lost(thread, new PinfoldError('not_ready', { detail: 'The agent is stopping.' }));
    });
    this.#ending.add(ending);
  }

  /** A thread that has ended uses no descriptor any more. */
  #lost(thread: Thread, error: Error): void {
    clearTimeout(thread.idle);
    this.#threads.delete(thread);
    for (const job of [...thread.jobs]) {
      const entry = this.#jobs.get(job);
      this.#jobs.delete(job);
      thread.jobs.delete(job);
      for (const hold of entry?.open.values() ?? []) hold[Symbol.dispose]();
      entry?.running.fail(error);
    }
  }
}

/**
 * Asks a thread to end, and waits until it has. One that is broken off while it loads native code would abort
 * the process, so that is only for one that does not answer.
 */
async function endOf(worker: Worker): Promise<void> {
  const ended = once(worker, 'exit');
  worker.postMessage({ type: 'end' } satisfies ToWorker);
  const impatient = setTimeout(() => void worker.terminate(), limits.dumpWorkerEndMs);
  await ended;
  clearTimeout(impatient);
}

function refuse(limit: string, what: string): never {
  throw new PinfoldError('too_many_requests', { detail: `${what} run already.`, limit, retry_after: 1 });
}

/**
 * Ends the dump whose reader has taken nothing for longest, where that is too long while others want its
 * place: readers that stall would else keep everybody out for as long as their connections last.
 */
function cutStalled(dumps: readonly (readonly Entry[])[]): boolean {
  const [worst] = [...dumps].sort((one, other) => stalledMs(other) - stalledMs(one));
  if (worst === undefined || stalledMs(worst) < limits.dumpStalledMs) return false;
  for (const part of worst) {
    part.isCut = true;
    part.running.cut();
  }
  return true;
}

/** For how long nothing has been taken of any part. */
function stalledMs(parts: readonly Entry[]): number {
  return Math.min(...parts.map(({ running }) => running.stalledMs));
}

function partsByWhole(entries: readonly Entry[]): readonly (readonly Entry[])[] {
  const parts = new Map<RunningJob, Entry[]>();
  for (const entry of entries) parts.set(entry.whole, [...(parts.get(entry.whole) ?? []), entry]);
  return [...parts.values()];
}

/** What a thread is told of an open map; asking for another kind is a mistake. */
function openMapOf({ fd, info, kind }: HeldObject): OpenMap {
  if (info.kind !== 'map') throw new Error(`a ${kind} has no entries`);
  return { fd: fd.number, info };
}
