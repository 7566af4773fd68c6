import { Attribution } from './attribution/attribution.ts';
import type { SharedParts } from './create-agent.ts';
import { ObjectRecorder } from './inventory/object-recorder.ts';
import type { Announce } from './inventory/recorder.ts';
import { DirectoryWatches } from './observer/directory-watches.ts';
import { ObjectSurvey } from './observer/object-survey.ts';
import { Observer } from './observer/observer.ts';
import { FindingsWriter } from './observer/writer.ts';

/** The observer, and what must be let go of after it. */
export interface ObservedParts {
  readonly observer: Observer;
  readonly writer: FindingsWriter;
  readonly watches: DirectoryWatches;
  readonly attribution: Attribution;
}

/** Makes what looks; `onWake` is told when something moved. */
export function makeObserver(
  { options, inventory, known, recorder, mounts, statistics }: SharedParts,
  onWake: () => void,
): ObservedParts {
  const { kernel, store, clock, node } = options;
  const announce: Announce = (events) => statistics.announce(events);
  const attribution = new Attribution({ kernel, inventory, known });
  const watches = new DirectoryWatches((wake) => attribution.openWatcher(wake), onWake);
  const { bootId } = kernel.facts;
  const objects = new ObjectRecorder({ store, objects: inventory.objects, bootId, announce });
  const writer = new FindingsWriter({
    store,
    inventory,
    pins: recorder,
    objects,
    watches,
    announce,
    attribution,
  });
  const survey = node.isPinsOnly ? undefined : new ObjectSurvey(kernel, inventory.objects);
  const observer = new Observer({
    kernel,
    clock,
    inventory,
    mounts,
    known,
    watches,
    recorder,
    writer,
    objects: survey,
  });
  return { observer, writer, watches, attribution };
}
