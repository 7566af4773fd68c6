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
import type { NodePinSets } from '../cluster/pinset/node/node-pinsets.ts';
import type { FleetTokens } from '../cluster/tokens/fleet-tokens.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { Clock } from '../model/clock.ts';
import type { Log } from '../model/log.ts';
import type { Caller } from '../model/role.ts';
import type { IdempotencyRecords, TokenRecords } from '../model/store.ts';
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

/** What every process that serves has, also a manager by itself: no node is needed for these. */
export interface ServiceParts {
  readonly metrics: Pick<Metrics, 'http' | 'limitHit' | 'render'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly idempotency: IdempotencyRecords;
  readonly streams: StreamSlots;
  /** Undefined where this process is a node of a fleet, not a manager of it. */
  readonly fleet: Fleet | undefined;
  /** The tokens of the fleet's callers; undefined with it. */
  readonly fleetTokens: FleetTokens | undefined;
  readonly openMetrics: boolean;
  /** Why what is answered now would not be complete; undefined once it is. */
  readonly notReady: () => string | undefined;
}

/** What the routes of a node are made from. */
export interface Parts extends ServiceParts {
  readonly agent: Agent;
  readonly webhooks: Pick<Webhooks, WebhookCalls>;
  readonly pinsets: Pick<NodePinSets, 'list' | 'get' | 'diff' | 'trouble'>;
  readonly tokens: TokenRecords;
  /** The directory of `POST /v1/backup`. */
  readonly backupDir: string;
}

/** Tells whether there is a node in this process. */
export function hasNode(parts: ServiceParts | Parts): parts is Parts {
  return 'agent' in parts;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Who may call; a route without it keeps the server from starting. */
    readonly role?: RouteRole;
    /**
     * What Accept may choose from; `any` for pages that are not the API's own documents. JSON unless told.
     */
    readonly produces?: readonly [string, ...string[]] | 'any';
    /** The body has values of maps, whose members are called what C programs call them. */
    readonly bodyHasEntries?: boolean;
    /** A POST that only asks: what it answers is of now, and never of an Idempotency-Key. */
    readonly isQuestion?: boolean;
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
