import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** One answered request; `route` is the template, never the URL. */
export interface AnsweredRequest {
  readonly method: string;
  readonly route: string;
  readonly status: number;
  readonly seconds: number;
}

/** What the server tells of its requests. */
export interface HttpMetrics {
  started(): void;
  answered(request: AnsweredRequest): void;
}

/** Requests by route template, method and status. */
export function collectHttp(registry: Registry): HttpMetrics {
  const total = new Counter({
    name: 'pinfold_http_requests_total',
    help: 'HTTP requests that were answered.',
    labelNames: ['method', 'route', 'status'],
    registers: [registry],
  });
  const duration = new Histogram({
    name: 'pinfold_http_request_duration_seconds',
    help: 'How long answers took, from the head of the request to the last byte handed to the socket.',
    labelNames: ['method', 'route'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10],
    registers: [registry],
  });
  const inFlight = new Gauge({
    name: 'pinfold_http_requests_in_flight',
    help: 'HTTP requests that are being answered.',
    registers: [registry],
  });
  return {
    started: () => inFlight.inc(),
    answered: ({ method, route, status, seconds }) => {
      inFlight.dec();
      total.inc({ method, route, status });
      duration.observe({ method, route }, seconds);
    },
  };
}
