import { readFileSync } from 'node:fs';
import { type MessagePort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { parseCgroupOfAny } from '../holder/processes.ts';
import { findStat } from '../proc/process.ts';
import { raw } from '../sys/prototypes.ts';
import { parseNameEvents, type RawNameEvent } from './name-event.ts';
import { ThreadState } from './thread-state.ts';

/** What a reader is given. */
export interface ReaderData {
  /** The fanotify descriptor. */
  readonly events: number;
  /** An eventfd that becomes readable when there is an order. */
  readonly orders: number;
  readonly state: SharedArrayBuffer;
  readonly port: MessagePort;
  /** Whose changes are known already. */
  readonly ownPid: number;
}

/** What it is told: to say when everything until now is told, or to end. */
export type Order = { readonly hear: number } | 'stop';

/** Who did it, as far as could be read while the process was there. */
export interface Writer {
  readonly pid: number;
  /** Undefined where the process had ended. Byte strings. */
  readonly process?: { readonly uid: number; readonly comm: string; readonly cgroup: string };
}

/** One thing that happened to a name. */
export interface NameEvent extends Pick<RawNameEvent, 'mask' | 'mount' | 'inode' | 'name'> {
  readonly writer: Writer;
}

/** What it tells. */
export type Told =
  | { readonly events: readonly (NameEvent | 'overflow')[] }
  /** The answer to an order: what was queued before it has been told. */
  | { readonly heard: number };

/** POLLIN of include/uapi/asm-generic/poll.h. */
const POLLIN = 1;

/** A process that ends waits for its threads; this is how long a wait of ours may keep it. */
const waitMs = 500;

/**
 * How long it lets events gather after it has met only our own: a group of changes makes two for each, and to
 * be woken by every one takes processor time from the thread that makes them.
 */
const gatherMs = 1;

/** Waits for events and reads who did them at once: programs such as `tc` are gone within a millisecond. */
function run({ events, orders, state, port, ownPid }: ReaderData): void {
  const thread = new ThreadState(state);
  if (!thread.begin()) return;
  const bytes = Buffer.alloc(64 * 1024);
  let areOwn = false;
  try {
    for (;;) {
      if (areOwn) waitFor([orders], gatherMs);
      else waitFor([events, orders], waitMs);
      const order = takeOrder(port, orders);
      const { told, own } = readAll(events, bytes, ownPid);
      areOwn = own > 0 && told.length === 0;
      if (told.length > 0) port.postMessage({ events: told } satisfies Told);
      if (order === 'stop') return;
      if (order !== undefined) port.postMessage({ heard: order.hear } satisfies Told);
    }
  } finally {
    thread.end();
    port.close();
  }
}

/** The last order there is: whoever has heard one has heard those before it. */
function takeOrder(port: MessagePort, orders: number): Order | undefined {
  raw.read(orders, Buffer.alloc(8), 8);
  let last: Order | undefined;
  for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port)) {
    const order: Order = next.message;
    last = last === 'stop' ? last : order;
  }
  return last;
}

/** What is queued now, and how many changes of our own were among it. */
function readAll(
  events: number,
  bytes: Buffer,
  ownPid: number,
): { readonly told: readonly (NameEvent | 'overflow')[]; readonly own: number } {
  const told: (NameEvent | 'overflow')[] = [];
  let own = 0;
  for (;;) {
    const length = raw.read(events, bytes, bytes.length);
    if (length <= 0) return { told, own };
    const known = new Map<number, Writer>();
    for (const event of parseNameEvents(bytes.subarray(0, length))) {
      if (event === 'overflow') told.push(event);
      else if (event.pid === ownPid) {
        own++;
        if (event.pidfd >= 0) raw.close(event.pidfd);
      } else {
        const writer = writerOf(event, known);
        const { mask, mount, inode, name } = event;
        told.push({ mask, mount, inode, name, writer });
      }
    }
  }
}

/** Reads who has this pid; the pidfd proves that it is still the one who did it. */
function writerOf({ pid, pidfd }: RawNameEvent, known: Map<number, Writer>): Writer {
  if (pidfd < 0) return known.get(pid) ?? { pid };
  const writer = known.get(pid) ?? readWriter(pid, pidfd);
  known.set(pid, writer);
  raw.close(pidfd);
  return writer;
}

function readWriter(pid: number, pidfd: number): Writer {
  const comm = findStat(pid)?.comm;
  const uid = /^Uid:\t\d+\t(\d+)/m.exec(readProc(pid, 'status'))?.[1];
  const cgroup = parseCgroupOfAny(readProc(pid, 'cgroup'));
  const hasEnded = waitFor([pidfd], 0) > 0;
  if (hasEnded || comm === undefined || uid === undefined) return { pid };
  return { pid, process: { uid: Number(uid), comm, cgroup } };
}

function readProc(pid: number, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'latin1');
  } catch {
    return '';
  }
}

/** ppoll(2) until one of them is readable; how many are. */
function waitFor(fds: readonly number[], timeoutMs: number): number {
  const polled = Buffer.alloc(8 * fds.length);
  fds.forEach((fd, index) => {
    polled.writeInt32LE(fd, 8 * index);
    polled.writeInt16LE(POLLIN, 8 * index + 4);
  });
  const time = Buffer.alloc(16);
  time.writeBigInt64LE(BigInt(timeoutMs) * 1_000_000n, 8);
  return raw.ppoll(polled, fds.length, time, null, 0);
}

const given: ReaderData | undefined = workerData;
if (given?.port !== undefined) run(given);
