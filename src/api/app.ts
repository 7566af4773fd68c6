import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type {
  FastifyBaseLogger,
  FastifyInstance,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify';
import type { Agent } from '../agent/agent.ts';
import type { Webhooks } from '../agent/webhook/webhooks.ts';
import type { Fleet } from '../cluster/fleet.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { Clock } from '../model/clock.ts';
import type { Log } from '../model/log.ts';
import type { Caller } from '../model/role.ts';
import type { TokenRecords } from '../model/store.ts';
import type { RouteRole } from './auth.ts';
import type { StreamSlots } from './ndjson.ts';

/** What routes are registered on. */
export type App = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;

/** What routes ask of webhooks. */
type WebhookCalls = Exclude<keyof Webhooks, 'wake' | 'stop' | 'numbers'>;

/** What routes are made from. */
export interface Parts {
  readonly agent: Agent;
  readonly metrics: Metrics;
  readonly webhooks: Pick<Webhooks, WebhookCalls>;
  readonly clock: Clock;
  readonly log: Log;
  readonly tokens: TokenRecords;
  readonly streams: StreamSlots;
  /** Undefined where this process is a node of a fleet, not a manager of it. */
  readonly fleet: Fleet | undefined;
  /** The directory of `POST /v1/backup`. */
  readonly backupDir: string;
  readonly openMetrics: boolean;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Who may call; a route without it keeps the server from starting. */
    readonly role?: RouteRole;
    /**
     * What Accept may choose from; `any` for pages that are not the API's own documents. JSON unless told.
     */
    readonly produces?: readonly [string, ...string[]] | 'any';
    /** Members of the answer that are never stored for a repeated Idempotency-Key. */
    readonly secrets?: readonly string[];
  }
  interface FastifyRequest {
    /** Who calls, once the first hook has run. */
    caller: Caller;
    /** What the route declares, read once: Fastify makes `routeOptions` anew whenever it is asked for. */
    terms: FastifyContextConfig & { readonly url?: string };
    /** What the body must hash to, where a manager has signed for it. */
    signedBody: string | undefined;
    /** What Accept chose. */
    media: string;
  }
}
