import { MessageChannel } from 'node:worker_threads';
import type { Calls } from '../sys/calls.ts';
import { isSystemCallError } from '../sys/errno.ts';
import type { Fd } from '../sys/fd.ts';
import { nameMask } from './name-event.ts';
import type { NameEvent, Order, ReaderData, Told } from './reader.ts';
import { startReader } from './start-reader.ts';
import { ThreadState } from './thread-state.ts';

/** FAN_EVENT_ON_CHILD and FAN_ONDIR: attributes of what is in the directory, and directories in it. */
const [ON_CHILD, ON_DIRECTORY] = [0x08000000, 0x40000000];

const wanted =
  nameMask.ATTRIB |
  nameMask.MOVED_FROM |
  nameMask.MOVED_TO |
  nameMask.CREATE |
  nameMask.DELETE |
  ON_CHILD |
  ON_DIRECTORY;

/** How long the end waits for the reader; it answers within a millisecond unless the machine stands still. */
const patienceMs = 5000;

/** Hears who changes names in directories. */
export interface NameWatcher extends Disposable {
  /** From now on changes of names in it are heard; again for one that is marked does nothing. */
  mark(directory: Fd): void;
  /** Resolves when everything that happened before this call has been given to `onEvents`. */
  hear(): Promise<void>;
}

/**
 * Opens a watcher; it lives until it is disposed and does not keep the process alive. Undefined where this
 * user may not (CAP_SYS_ADMIN), or this kernel cannot tell names and pidfds (Linux 5.15). A bpffs can be
 * marked from Linux 6.7 on: before, it has no handles that events could carry.
 */
export function openNameWatcher(
  calls: Calls,
  onEvents: (events: readonly (NameEvent | 'overflow')[]) => void,
): NameWatcher | undefined {
  let events: Fd;
  try {
    events = calls.fanotifyInit();
  } catch (error) {
    if (isSystemCallError(error, 'EPERM', 'EINVAL', 'ENOSYS', 'EMFILE', 'ENFILE')) return undefined;
    throw error;
  }
  const orders = calls.eventFd();
  const state = new ThreadState();
  const { port1: port, port2: theirs } = new MessageChannel();
  const data: ReaderData = {
    events: events.number,
    orders: orders.number,
    state: state.shared,
    port: theirs,
    ownPid: process.pid,
  };
  const worker = startReader(data);
  const waiting = new Map<number, () => void>();
  let asked = 0;
  let isOver = false;
  const tell = (order: Order): void => {
    port.postMessage(order);
    calls.signal(orders);
  };
  const release = (): void => {
    isOver = true;
    for (const resolve of waiting.values()) resolve();
    waiting.clear();
  };
  port.on('message', (told: Told) => {
    if ('events' in told) return onEvents(told.events);
    for (const [number, resolve] of waiting) {
      if (number > told.heard) break;
      waiting.delete(number);
      resolve();
    }
    if (waiting.size === 0) port.unref();
  });
  port.unref();
  // However it ended, it uses nothing any more; nobody is named from then on.
  worker.on('error', release);
  worker.once('exit', () => {
    state.end();
    release();
  });
  return {
    mark: (directory) => void calls.fanotifyMark(events, directory, wanted),
    hear: () => {
      if (isOver) return Promise.resolve();
      return new Promise((resolve) => {
        waiting.set(++asked, resolve);
        port.ref();
        tell({ hear: asked });
      });
    },
    [Symbol.dispose]: () => {
      release();
      const hasEnded = state.stop(() => tell('stop'), patienceMs);
      port.close();
      if (!hasEnded) return;
      events[Symbol.dispose]();
      orders[Symbol.dispose]();
    },
  };
}
