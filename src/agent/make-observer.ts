import type { Kernel } from '../kernel/kernel.ts';
import type { Clock } from '../model/clock.ts';
import type { Store } from '../model/store.ts';
import { Attribution } from './attribution/attribution.ts';
import type { Inventory } from './inventory/inventory.ts';
import { ObjectRecorder } from './inventory/object-recorder.ts';
import type { Announce, ChangeRecorder } from './inventory/recorder.ts';
import { DirectoryWatches } from './observer/directory-watches.ts';
import type { KnownMounts } from './observer/known-mounts.ts';
import type { MountTable } from './observer/mount-table.ts';
import { ObjectSurvey } from './observer/object-survey.ts';
import { Observer } from './observer/observer.ts';
import { FindingsWriter } from './observer/writer.ts';

/** What an observer is made of. */
export interface ObservingParts {
  readonly kernel: Kernel;
  readonly store: Store;
  readonly clock: Clock;
  readonly isPinsOnly: boolean;
  readonly inventory: Inventory;
  readonly known: KnownMounts;
  readonly recorder: ChangeRecorder;
  readonly mounts: MountTable;
  readonly announce: Announce;
}

/** The observer, and what must be let go of after it. */
export interface ObservedParts {
  readonly observer: Observer;
  readonly writer: FindingsWriter;
  readonly watches: DirectoryWatches;
  readonly attribution: Attribution;
}

/** Makes what looks; `onWake` is told when something moved. */
export function makeObserver(parts: ObservingParts, onWake: () => void): ObservedParts {
  const { kernel, store, clock, isPinsOnly, inventory, recorder, announce } = parts;
  const attribution = new Attribution(parts);
  const watches = new DirectoryWatches((wake) => attribution.openWatcher(wake), onWake);
  const { bootId } = kernel.facts;
  const objects = new ObjectRecorder({ store, objects: inventory.objects, bootId, announce });
  const writing = { store, inventory, pins: recorder, objects, watches, clock, announce, attribution };
  const writer = new FindingsWriter(writing);
  const survey = isPinsOnly ? undefined : new ObjectSurvey(kernel, inventory.objects);
  const observer = new Observer({ ...parts, watches, writer, objects: survey });
  return { observer, writer, watches, attribution };
}
