import { PinfoldError } from '../../model/error.ts';
import { limits } from '../../model/limits.ts';
import type { Watcher } from '../kernel.ts';
import type { Calls } from '../sys/calls.ts';
import { isSystemCallError } from '../sys/errno.ts';
import type { Fd } from '../sys/fd.ts';
import { attempting } from './refusal.ts';

/** What of include/uapi/linux/inotify.h is used. */
const event = {
  ATTRIB: 0x4,
  MOVED_FROM: 0x40,
  MOVED_TO: 0x80,
  CREATE: 0x100,
  DELETE: 0x200,
  DELETE_SELF: 0x400,
  MOVE_SELF: 0x800,
  Q_OVERFLOW: 0x4000,
  IGNORED: 0x8000,
  ONLYDIR: 0x1000000,
} as const;

const wanted =
  event.ATTRIB |
  event.MOVED_FROM |
  event.MOVED_TO |
  event.CREATE |
  event.DELETE |
  event.DELETE_SELF |
  event.MOVE_SELF |
  event.ONLYDIR;

/**
 * How often the queue is looked at. Node cannot wait on a descriptor of this type (net.Socket refuses it),
 * a blocking read would keep a thread of the pool for good, and SIGIO would interrupt bpf(2). One read that
 * finds nothing takes about a microsecond.
 */
const lookEveryMs = 200;

/**
 * Reads of one look; what is still there waits for the next one, so that a storm of changes never keeps the
 * loop.
 */
const readsMax = 16;

/**
 * Watches directories through one inotify descriptor, which it keeps until it is disposed.
 *
 * `onWake` gets each watch with changes once a look, at most 200 ms late, or `overflow` when the kernel
 * dropped events and nothing is known. Watches do not hold a file system: an umount ends them, which wakes
 * too (test/kernel/watcher.test.ts). Does not keep the process alive.
 * @throws PinfoldError overloaded where this user may not have another inotify instance
 */
export function openWatcher(calls: Calls, onWake: (watch: number | 'overflow') => void): Watcher {
  const inotify = openInotify(calls);
  const buffer = Buffer.alloc(64 * 1024);
  const watches = new Set<number>();

  const look = (): void => {
    const woken = new Set<number>();
    for (let reads = 0; reads < readsMax; reads++) {
      const length = calls.readIfAny(inotify, buffer);
      if (length === 0) break;
      for (const { watch, mask } of parseEvents(buffer.subarray(0, length))) {
        if ((mask & event.Q_OVERFLOW) !== 0) woken.add(-1);
        if (watches.has(watch)) woken.add(watch);
        if ((mask & event.IGNORED) !== 0) watches.delete(watch);
      }
    }
    if (woken.delete(-1)) onWake('overflow');
    for (const watch of woken) onWake(watch);
  };
  const timer = setInterval(look, lookEveryMs).unref();

  return {
    add: (directory) => {
      if (watches.size >= limits.inotifyWatchesMax) throw tooMany();
      const watch = attempting({ attempt: 'watch', path: directory.what }, () =>
        calls.inotifyAdd(inotify, directory, wanted),
      );
      watches.add(watch);
      return watch;
    },
    remove: (watch) => {
      if (!watches.delete(watch)) return;
      try {
        calls.inotifyRemove(inotify, watch);
      } catch (error) {
        // The directory went first, and its IN_IGNORED is still in the queue.
        if (!isSystemCallError(error, 'EINVAL')) throw error;
      }
    },
    look,
    [Symbol.dispose]: () => {
      clearInterval(timer);
      watches.clear();
      inotify[Symbol.dispose]();
    },
  };
}

/**
 * One change as the kernel queues it: `s32 wd; u32 mask; u32 cookie; u32 len; char name[len]`; names are
 * not needed.
 */
export interface WatchEvent {
  readonly watch: number;
  readonly mask: number;
}

/** Parses what read(2) of an inotify descriptor gave. */
export function parseEvents(bytes: Buffer): readonly WatchEvent[] {
  const events: WatchEvent[] = [];
  for (let at = 0; at < bytes.length; at += 16 + bytes.readUInt32LE(at + 12)) {
    events.push({ watch: bytes.readInt32LE(at), mask: bytes.readUInt32LE(at + 4) });
  }
  return events;
}

function openInotify(calls: Calls): Fd {
  try {
    return calls.inotifyInit();
  } catch (error) {
    if (!isSystemCallError(error, 'EMFILE', 'ENFILE')) throw error;
    const { syscall, errno } = error;
    const detail = 'This user has as many inotify instances as it may; raise fs.inotify.max_user_instances.';
    throw new PinfoldError('overloaded', { detail, syscall, errno }, error);
  }
}

function tooMany(): PinfoldError {
  const detail = `Pinfold watches ${limits.inotifyWatchesMax} directories at most; walks see the others.`;
  return new PinfoldError('overloaded', { detail });
}
