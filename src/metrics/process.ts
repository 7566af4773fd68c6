import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Counter, Gauge, type Registry } from 'prom-client';
import type { Statistics } from '../model/statistics.ts';

const perSecond = 1e9;

/**
 * How often the event loop is asked whether it is late. Each time wakes a process at rest: every 10 ms took
 * more of a processor than all observation.
 */
const delayEveryMs = 100;

/**
 * What this process uses, under the names that client libraries have agreed on; without the numbers of an
 * agent, of a process that opens no object.
 */
export function collectProcess(
  registry: Registry,
  numbers: Pick<Statistics, 'openFds'> | undefined,
): Disposable {
  const gauge = (name: string, help: string, read: () => number): void => {
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(read());
      },
    });
  };
  new Counter({
    name: 'process_cpu_seconds_total',
    help: 'Processor time this process has used.',
    registers: [registry],
    collect() {
      const { user, system } = process.cpuUsage();
      this.reset();
      this.inc((user + system) / 1e6);
    },
  });
  const startedAt = Date.now() / 1000 - process.uptime();
  gauge('process_start_time_seconds', 'When this process started, since the epoch.', () => startedAt);
  gauge('process_resident_memory_bytes', 'Memory of this process that is in RAM.', () =>
    process.memoryUsage.rss(),
  );
  gauge('pinfold_heap_used_bytes', 'JavaScript heap in use.', () => process.memoryUsage().heapUsed);
  if (numbers !== undefined) {
    const help = 'Descriptors open on managed objects or directories of a bpffs.';
    gauge('pinfold_object_fds', help, () => numbers.openFds());
  }
  const delay = monitorEventLoopDelay({ resolution: delayEveryMs });
  delay.enable();
  gauge(
    'pinfold_event_loop_delay_p99_seconds',
    'The 99th percentile of the event loop delay since the last scrape.',
    () => {
      // What is recorded is the time from one look to the next.
      const seconds = delay.percentile(99) / perSecond - delayEveryMs / 1000;
      delay.reset();
      return Math.max(0, seconds);
    },
  );
  return { [Symbol.dispose]: () => delay.disable() };
}
