import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../../../model/clock.ts';
import { type ClusterName, clusterKey, clusterPrefix, isClusterName } from '../../../model/cluster/key.ts';
import { parseStatus } from '../../../model/cluster/pinset/documents.ts';
import type { ClusterStore } from '../../../model/cluster/store.ts';
import { isPinfoldError } from '../../../model/error.ts';
import type { Log } from '../../../model/log.ts';
import type { PinSetStatus } from '../../../model/schema/pinset.ts';
import { Mirror } from '../../mirror.ts';

/** What writing statuses stands on. */
export interface StatusWriterOptions {
  readonly store: ClusterStore;
  readonly node: ClusterName;
  readonly clock: Clock;
  readonly log: Log;
  /** Called when there is something to write again: the store lost it, or is heard after it was away. */
  readonly onChange: () => void;
}

/**
 * Keeps `nodes/{node}/status/{pinset}` as this node sees itself. Each is compared with what the store has,
 * so that it is written only when it differs, and again where the store has lost it.
 */
export class StatusWriter {
  readonly #options: StatusWriterOptions;
  readonly #mirror: Mirror;
  #trouble: string | undefined;

  constructor(options: StatusWriterOptions) {
    this.#options = options;
    const own = statusPrefix(options.node);
    const onChange = (keys: readonly string[]): void => {
      if (keys.some((key) => key.startsWith(own))) options.onChange();
    };
    const prefix = clusterPrefix('nodes', options.node);
    this.#mirror = new Mirror({ ...options, prefix, onChange, onHeard: options.onChange });
  }

  /** Why the fleet is not told what this node came to; undefined while it is, or the store is away. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  async start(): Promise<void> {
    await this.#mirror.start();
  }

  async stop(): Promise<void> {
    await this.#mirror.stop();
  }

  /**
   * Writes what differs and removes what is no longer. False where the store did not take it: then it is to
   * be written soon. While the store is known to be away nothing is, and `onChange` tells when it is back.
   */
  async write(statuses: ReadonlyMap<string, PinSetStatus>): Promise<boolean> {
    const { node, store } = this.#options;
    if (this.#mirror.trouble !== undefined || this.#mirror.revision === 0) return true;
    try {
      for (const [name, status] of statuses) {
        if (!isClusterName(name)) continue;
        const key = clusterKey('nodes', node, 'status', name);
        if (isSaid(this.#mirror.entries.get(key)?.value, status)) continue;
        await store.txn({ conditions: [], changes: [{ put: key, value: JSON.stringify(status) }] });
      }
      for (const key of this.#mirror.entries.keys()) {
        const name = key.startsWith(statusPrefix(node)) ? key.slice(statusPrefix(node).length) : undefined;
        if (name === undefined || statuses.has(name) || !isClusterName(name)) continue;
        await store.txn({ conditions: [], changes: [{ delete: clusterKey('nodes', node, 'status', name) }] });
      }
      this.#note(undefined);
      return true;
    } catch (error) {
      if (!isPinfoldError(error)) throw error;
      // That the store is away is told by its mirrors.
      if (error.code === 'cluster_unavailable') return false;
      this.#note(error.message);
      return true;
    }
  }

  #note(trouble: string | undefined): void {
    const { log, node } = this.#options;
    if (trouble !== undefined && trouble !== this.#trouble)
      log.warn('the fleet is not told what its pin sets came to here; it is tried again', {
        node,
        cause: trouble,
      });
    this.#trouble = trouble;
  }
}

/** Whether the store has it, be it from another time. */
function isSaid(text: string | undefined, status: PinSetStatus): boolean {
  const known = text === undefined ? undefined : parseStatus(text);
  return known !== undefined && isDeepStrictEqual({ ...known, time: status.time }, status);
}

function statusPrefix(node: ClusterName): string {
  return `${clusterPrefix('nodes', node)}status/`;
}
