/** The media type of the Prometheus text format. */
export const prometheusType = 'text/plain; version=0.0.4; charset=utf-8';
/** The media type of OpenMetrics 1.0. */
export const openMetricsType = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

/**
 * Turns the Prometheus text format into OpenMetrics 1.0: a counter's family is named without `_total`, and
 * the text ends with `# EOF`.
 *
 * prom-client can write OpenMetrics itself, but renames the counters for good while it does.
 */
export function toOpenMetrics(text: string): string {
  const counters = new Set<string>();
  for (const [, name = ''] of text.matchAll(/^# TYPE (\S+)_total counter$/gm)) counters.add(name);
  const families = text.replace(/^# (HELP|TYPE) (\S+)_total /gm, (line, word: string, name: string) =>
    counters.has(name) ? `# ${word} ${name} ` : line,
  );
  return `${families.replace(/\n{2,}/g, '\n')}# EOF\n`;
}
