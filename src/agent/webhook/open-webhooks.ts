import { randomInt } from 'node:crypto';
import { rootCertificates } from 'node:tls';
import type { Clock } from '../../model/clock.ts';
import { limits } from '../../model/limits.ts';
import type { AddressRange } from '../../model/webhook/address.ts';
import type { Agent } from '../agent.ts';
import { type Resolve, systemResolve } from './connect.ts';
import { Slots } from './slots.ts';
import { Webhooks } from './webhooks.ts';

/** What webhooks of an agent are made from. */
export interface WebhookOptions {
  readonly agent: Pick<Agent, 'store' | 'statistics'>;
  readonly clock: Clock;
  readonly node: string;
  /** `--webhook-allow`. */
  readonly allowed: readonly AddressRange[];
  /** The PEM text of `--webhook-ca`. */
  readonly ca: string | undefined;
  /** How names become addresses, if not as the system does it. */
  readonly resolve?: Resolve | undefined;
  /** Told of what could not be read or written; it is tried again. */
  readonly onFailure: (error: unknown) => void;
}

/** Goes on with the webhooks there are, as events are committed. */
export function openWebhooks(options: WebhookOptions): Webhooks {
  const { agent, clock, node, allowed, ca, resolve = systemResolve, onFailure } = options;
  const { store, statistics } = agent;
  const webhooks = new Webhooks({
    store,
    clock,
    origin: { node, history: store.identity },
    sends: new Slots(limits.webhookSendsMax),
    reads: new Slots(limits.webhookReadsMax),
    random: () => randomInt(2 ** 32) / 2 ** 32,
    reach: {
      resolve,
      allowed,
      ca: ca === undefined ? undefined : [...rootCertificates, ca],
      lookups: new Slots(limits.webhookLookupsMax),
    },
    announce: (events) => statistics.announce(events),
    onFailure,
  });
  statistics.onEvents(() => webhooks.wake());
  return webhooks;
}
