import type { Clock } from '../../model/clock.ts';
import type { NewEvent } from '../../model/schema/event.ts';
import type { Store } from '../../model/store.ts';
import type { NodeOptions } from '../reads/node-document.ts';

const settingName = 'seen_up';

/** How often it is noted that the agent is up: by so much the time of a crash is known. */
const everyMs = 60_000;

/** Whose life it is. */
export interface NodeLifeParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly node: NodeOptions;
  /** `uname -r` */
  readonly release: string;
  readonly onFailure: (error: unknown) => void;
}

/** When the agent was up, for history: what it did not watch it cannot know. */
export class NodeLife {
  readonly #parts: NodeLifeParts;
  /** Since when nobody has watched; undefined where no agent ever did. */
  readonly #downSince: string | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** To be made before anything is written in this life. */
  constructor(parts: NodeLifeParts) {
    this.#parts = parts;
    this.#downSince = lastSign(parts.store);
  }

  /** The event of the start, with `down_since`. */
  started(): NewEvent {
    const down = this.#downSince === undefined ? {} : { down_since: this.#downSince };
    return this.#event('node.started', null, { ...this.#facts(), ...down });
  }

  stopped(): NewEvent {
    return this.#event('node.stopped', this.#facts(), null);
  }

  /** Notes that the agent is up, now and each minute. */
  beginNoting(): void {
    this.#note();
    this.#timer = setInterval(() => this.#note(), everyMs).unref();
  }

  endNoting(): void {
    clearInterval(this.#timer);
  }

  #note(): void {
    const { store, clock, onFailure } = this.#parts;
    try {
      store.settings.set(settingName, `${store.events.lastSeq()} ${clock.now().toISOString()}`);
    } catch (error) {
      onFailure(error);
    }
  }

  #facts() {
    const { node, release } = this.#parts;
    const { name, version, labels } = node;
    return { name, version, kernel: release, labels: { ...labels } };
  }

  #event(type: NewEvent['type'], before: NewEvent['before'], after: NewEvent['after']): NewEvent {
    const time = this.#parts.clock.now().toISOString();
    return { time, type, subject: {}, before, after, actor: 'kernel' };
  }
}

/** The last event, or the last note where nothing happened after it. */
function lastSign(store: Store): string | undefined {
  const last = store.events.lastSeq();
  const [seq, noted] = store.settings.get(settingName)?.split(' ') ?? [];
  return Number(seq) === last ? noted : (store.paths.find(last)?.time ?? noted);
}
