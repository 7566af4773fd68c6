import { Gauge, Registry } from 'prom-client';
import type { CertificateState } from '../model/certificates.ts';
import { escapeText } from '../model/escape.ts';
import type { Statistics } from '../model/statistics.ts';
import { collectCertificates } from './certificates.ts';
import { collectClaims } from './claims.ts';
import { collectFindings } from './findings.ts';
import { collectGc } from './gc.ts';
import { collectHistory } from './history.ts';
import { collectHttp, type HttpMetrics } from './http.ts';
import { collectLimits, type LimitHit } from './limits.ts';
import { collectMemory } from './memory.ts';
import { collectObjects } from './objects.ts';
import { collectObservation } from './observation.ts';
import { toOpenMetrics } from './openmetrics.ts';
import { collectOperations } from './operations.ts';
import { collectPins } from './pins.ts';
import { collectProcess } from './process.ts';
import { collectReferences } from './references.ts';
import { collectSelectedPins } from './selected-pins.ts';
import { collectSpecifications } from './specifications.ts';
import { collectUnexplained } from './unexplained.ts';
import { collectWebhooks, type WebhookSource } from './webhooks.ts';

/** Everything that is measured, and the text of a scrape. */
export interface Metrics extends Disposable {
  readonly http: HttpMetrics;
  readonly limitHit: LimitHit;
  /** The Prometheus text format 0.0.4, or OpenMetrics 1.0. */
  render(format: 'prometheus' | 'openmetrics'): Promise<string>;
}

/** What is told of every process. */
export interface ProcessFacts {
  readonly version: string;
  readonly certificates: () => readonly CertificateState[];
}

/** Registers what a manager by itself has to tell: it knows no objects. */
export function createManagerMetrics({ version, certificates }: ProcessFacts): Metrics {
  const registry = new Registry();
  collectBuild(registry, version);
  collectCertificates(registry, certificates);
  const measured = collectProcess(registry, undefined);
  return {
    http: collectHttp(registry),
    limitHit: collectLimits(registry),
    render: async (format) => textIn(format, await registry.metrics()),
    [Symbol.dispose]: () => measured[Symbol.dispose](),
  };
}

function collectBuild(registry: Registry, version: string): void {
  new Gauge({
    name: 'pinfold_build_info',
    help: 'Always 1; the version is a label.',
    labelNames: ['version'],
    registers: [registry],
  }).set({ version }, 1);
}

function textIn(format: 'prometheus' | 'openmetrics', text: string): string {
  return format === 'openmetrics' ? toOpenMetrics(text) : text;
}

/** Registers every collector on a registry of its own. */
export function createMetrics(
  given: ProcessFacts & {
    readonly numbers: Statistics;
    /** What an instance is called; see mountLabel. */
    readonly pathOf: (mount: string) => string;
    readonly webhooks: { readonly source: WebhookSource; readonly now: () => Date };
    /** Series of selected pins in one scrape, at most. */
    readonly pinSeriesMax: number;
  },
): Metrics {
  const { numbers, version, pinSeriesMax: seriesMax } = given;
  const paths = new Map<string, string>();
  const pathOf = (mount: string): string => {
    const known = paths.get(mount) ?? escapeText(given.pathOf(mount));
    paths.set(mount, known);
    return known;
  };
  const registry = new Registry();
  collectBuild(registry, version);
  collectObjects(registry, numbers);
  collectPins(registry, numbers, { pathOf });
  collectReferences(registry, numbers);
  collectUnexplained(registry, numbers);
  collectMemory(registry, numbers);
  collectFindings(registry, numbers);
  collectClaims(registry, numbers);
  collectGc(registry, numbers);
  collectHistory(registry, numbers);
  collectOperations(registry, numbers);
  collectObservation(registry, numbers);
  collectSpecifications(registry, numbers);
  collectCertificates(registry, given.certificates);
  collectWebhooks(registry, given.webhooks.source, given.webhooks.now);
  const collectPinSeries = collectSelectedPins(registry, numbers, { pathOf, seriesMax });
  const measured = collectProcess(registry, numbers);
  return {
    http: collectHttp(registry),
    limitHit: collectLimits(registry),
    render: async (format) => {
      paths.clear();
      collectPinSeries();
      return textIn(format, await registry.metrics());
    },
    [Symbol.dispose]: () => measured[Symbol.dispose](),
  };
}
