import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { limits } from '../model/limits.ts';

/** What the server tells of the answers of one route. */
export interface RouteMetrics {
  answered(method: string, status: number, seconds: number): void;
}

/** What the server tells of its requests. */
export interface HttpMetrics {
  started(): void;
  /** Asked for once a route; `route` is the template, never the URL. */
  route(route: string): RouteMetrics;
}

const buckets = [0.005, 0.025, 0.1, 0.5, 2.5] as const;

/** Series of the durations of one method and route: the buckets, +Inf, sum and count. */
const seriesOfDurations = buckets.length + 3;

/** A method or route that stands for all that have no series of their own. */
const other = 'other';

/** Methods that have series of their own: HTTP has dozens, and anybody may send any of them. */
const methods: readonly string[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];
const nameOf = (method: string): string => (methods.includes(method) ? method : other);

const durationName = 'pinfold_http_request_duration_seconds';
const durationHelp =
  'How long answers took, from the head of the request to the last byte handed to the socket.';

/**
 * Requests by route template, method and status.
 *
 * @param seriesMax of requests and durations together; what comes later is counted with method and route
 * `other`, which takes a few more
 */
export function collectHttp(registry: Registry, seriesMax: number = limits.httpSeriesMax): HttpMetrics {
  const rest = newTally(other, other);
  const tallies: Tally[] = [rest];
  let seriesLeft = seriesMax;
  const takes = (series: number): boolean => {
    if (series > seriesLeft) return false;
    seriesLeft -= series;
    return true;
  };
  let inFlight = 0;
  new Counter({
    name: 'pinfold_http_requests_total',
    help: 'HTTP requests that were answered.',
    labelNames: ['method', 'route', 'status'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { method, route, byStatus } of tallies) {
        for (const [status, count] of byStatus) this.inc({ method, route, status }, count);
      }
    },
  });
  new Durations(registry, tallies);
  new Gauge({
    name: 'pinfold_http_requests_in_flight',
    help: 'HTTP requests that are being answered.',
    registers: [registry],
    collect() {
      this.set(inFlight);
    },
  });
  return {
    started: () => {
      inFlight++;
    },
    route: (route) => {
      const byMethod = new Map<string, Tally>();
      const add = (method: string): Tally => {
        const hasRoom = takes(seriesOfDurations);
        const tally = hasRoom ? newTally(method, route) : rest;
        byMethod.set(method, tally);
        if (hasRoom) tallies.push(tally);
        return tally;
      };
      return {
        answered: (method, status, seconds) => {
          inFlight--;
          const tally = byMethod.get(method) ?? byMethod.get(nameOf(method)) ?? add(nameOf(method));
          const isKnown = tally.byStatus.has(status) || tally === rest || takes(1);
          countStatus(isKnown ? tally : rest, status);
          countSeconds(tally, seconds);
        },
      };
    },
  };
}

function newTally(method: string, route: string): Tally {
  return { method, route, byStatus: new Map(), byBucket: buckets.map(() => 0), count: 0, seconds: 0 };
}

function countStatus({ byStatus }: Tally, status: number): void {
  byStatus.set(status, (byStatus.get(status) ?? 0) + 1);
}

function countSeconds(tally: Tally, seconds: number): void {
  const bucket = buckets.findIndex((bound) => seconds <= bound);
  if (bucket >= 0) tally.byBucket[bucket] = (tally.byBucket[bucket] ?? 0) + 1;
  tally.count++;
  tally.seconds += seconds;
}

/**
 * What is counted of one method and route between scrapes. prom-client hashes labels at each observation,
 * which cost a small request a fifth of its time; here a request costs one look-up, and labels are made
 * when somebody scrapes.
 */
interface Tally {
  readonly method: string;
  readonly route: string;
  readonly byStatus: Map<number, number>;
  /** How many fell into each bucket, not cumulated. */
  readonly byBucket: number[];
  count: number;
  seconds: number;
}

/** The histogram of the tallies. */
class Durations extends Histogram<'method' | 'route'> {
  readonly #tallies: readonly Tally[];

  constructor(registry: Registry, tallies: readonly Tally[]) {
    super({
      name: durationName,
      help: durationHelp,
      labelNames: ['method', 'route'],
      buckets: [...buckets],
      registers: [registry],
    });
    this.#tallies = tallies;
  }

  /** prom-client writes what this gives, and builds `get` on it; its types do not tell. */
  async getForPromString() {
    const values = this.#tallies.filter(({ count }) => count > 0).flatMap(valuesOf);
    return { name: durationName, help: durationHelp, type: 'histogram', aggregator: 'sum', values };
  }
}

function valuesOf({ method, route, byBucket, count, seconds }: Tally) {
  let below = 0;
  const cumulated = buckets.map((bound, index) => {
    below += byBucket[index] ?? 0;
    return { metricName: `${durationName}_bucket`, labels: { le: bound, method, route }, value: below };
  });
  return [
    ...cumulated,
    { metricName: `${durationName}_bucket`, labels: { le: '+Inf', method, route }, value: count },
    { metricName: `${durationName}_sum`, labels: { method, route }, value: seconds },
    { metricName: `${durationName}_count`, labels: { method, route }, value: count },
  ];
}
