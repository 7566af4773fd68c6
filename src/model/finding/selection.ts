import { limits } from '../limits.ts';
import { isWithin, type PinPath, parsePath } from '../path.ts';
import { isRecord } from '../record.ts';

/** Which pins one line of `metrics.pins` means: all that it says must be so. */
export interface PinSelector {
  readonly prefix: PinPath | '';
  readonly owner: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
}

/** Which pins have metrics of their own: `metrics:` in the configuration file. None unless told. */
export interface PinSelection {
  readonly selectors: readonly PinSelector[];
  /** Series that all of them may have together; pins beyond are left out and counted. */
  readonly seriesMax: number;
}

/** What a selector goes by. */
export interface SelectablePin {
  readonly path: PinPath;
  readonly annotations: {
    readonly owner: string | null;
    readonly labels: Readonly<Record<string, string>>;
  };
}

/** Tells whether any selector means a pin. */
export function isSelected({ selectors }: PinSelection, { path, annotations }: SelectablePin): boolean {
  return selectors.some(({ prefix, owner, labels }) => {
    if (!isWithin(path, prefix)) return false;
    if (owner !== undefined && annotations.owner !== owner) return false;
    return Object.entries(labels).every(
      ([key, value]) => Object.hasOwn(annotations.labels, key) && annotations.labels[key] === value,
    );
  });
}

/** Reads `metrics:`. @throws RangeError, or PinfoldError bad_path, with one sentence on what is wrong */
export function parsePinSelection(document: unknown): PinSelection {
  const { pins = [], pin_series_max: seriesMax = limits.pinSeriesDefault, ...rest } = asRecord(document);
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) throw new RangeError(`"${unknown}" is not a setting of metrics.`);
  if (!Array.isArray(pins)) throw new RangeError('metrics.pins wants a list.');
  const isCount = typeof seriesMax === 'number' && Number.isSafeInteger(seriesMax) && seriesMax >= 0;
  if (!isCount || seriesMax > limits.pinSeriesMax) {
    throw new RangeError(`metrics.pin_series_max wants a whole number, ${limits.pinSeriesMax} at most.`);
  }
  return { selectors: pins.map(selectorOf), seriesMax };
}

function selectorOf(value: unknown): PinSelector {
  const { prefix = '', owner, labels = {}, ...rest } = isRecord(value) ? value : { bad: value };
  const isGood =
    typeof prefix === 'string' &&
    (owner === undefined || typeof owner === 'string') &&
    isRecord(labels) &&
    Object.keys(rest).length === 0;
  if (!isGood) throw new RangeError('A line of metrics.pins has prefix, owner and labels, or some of them.');
  return {
    prefix: prefix === '' ? '' : parsePath(prefix),
    owner,
    labels: Object.fromEntries(Object.entries(labels).map(([key, text]) => [key, String(text)])),
  };
}

function asRecord(document: unknown): Record<string, unknown> {
  if (document === undefined || document === null) return {};
  if (isRecord(document)) return document;
  throw new RangeError('"metrics" must map names to values.');
}
