import { Counter, Gauge, type Registry } from 'prom-client';

/** How one webhook does. */
export interface WebhookNumbers {
  readonly webhook: string;
  readonly state: string;
  readonly backlog: number;
  /** When the oldest event of the backlog happened; undefined without one. */
  readonly oldest: string | undefined;
  /** Attempts by how they ended. */
  readonly attempts: Readonly<Record<string, number>>;
}

/** The agent's webhooks, as metrics see them. */
export interface WebhookSource {
  numbers(): readonly WebhookNumbers[];
}

const states = ['active', 'paused', 'disabled'] as const;

/** Webhooks by name: there are few, and an alert must say which receiver is behind. */
export function collectWebhooks(registry: Registry, source: WebhookSource, now: () => Date): void {
  const registers = [registry];
  new Counter({
    name: 'pinfold_webhook_deliveries_total',
    help: 'Attempts to deliver: accepted, rejected by the receiver, failed on the way, or blocked before it.',
    labelNames: ['webhook', 'result'],
    registers,
    collect() {
      this.reset();
      for (const { webhook, attempts } of source.numbers())
        for (const [result, count] of Object.entries(attempts)) this.inc({ webhook, result }, count);
    },
  });
  new Gauge({
    name: 'pinfold_webhook_backlog_events',
    help: 'Events in the log that come after what was delivered, wanted by the webhook or not.',
    labelNames: ['webhook'],
    registers,
    collect() {
      this.reset();
      for (const { webhook, backlog } of source.numbers()) this.set({ webhook }, backlog);
    },
  });
  new Gauge({
    name: 'pinfold_webhook_oldest_age_seconds',
    help: 'Age of the oldest event of that backlog; 0 where it is empty.',
    labelNames: ['webhook'],
    registers,
    collect() {
      this.reset();
      for (const { webhook, oldest } of source.numbers()) this.set({ webhook }, ageOf(oldest, now()));
    },
  });
  new Gauge({
    name: 'pinfold_webhook_state',
    help: '1 for the state a webhook is in, 0 for the others.',
    labelNames: ['webhook', 'state'],
    registers,
    collect() {
      this.reset();
      for (const { webhook, state: is } of source.numbers())
        for (const state of states) this.set({ webhook, state }, state === is ? 1 : 0);
    },
  });
}

function ageOf(time: string | undefined, now: Date): number {
  return time === undefined ? 0 : Math.max(0, (now.getTime() - Date.parse(time)) / 1000);
}
