import { escapeName, escapeText } from '../../model/escape.ts';
import { ageOf } from './age.ts';
import { displayWidth, padTo } from './width.ts';

/**
 * A document as indented `Key:  value` lines, for reading. It shows whatever members there are, so that a
 * field that a newer kernel or agent adds is seen at once.
 *
 * Times carry their age, paths are shown from their bytes, lists of plain values stand on one line.
 */
export function describeDocument(document: object, now: Date): string[] {
  return linesOf(document, now);
}

/** Members whose keys are the users' own words, and stay as they were written. */
const labelKeys: readonly string[] = ['labels', 'selector'];

function linesOf(document: object, now: Date, titled = titleOf): string[] {
  const members = Object.entries(document).filter(([key]) => !isBytesOfAnother(key, document));
  const titles = members.map(([key]) => `${titled(key)}:`);
  const width = Math.max(0, ...titles.map(displayWidth));
  return members.flatMap(([key, value], at) => {
    const title = titles[at] ?? '';
    const flat = flatten(key, value, { document, now });
    if (flat !== undefined) return [`${padTo(title, width)}  ${flat}`.trimEnd()];
    return [title, ...nested(key, value, now)];
  });
}

/** A value that fits on the line of its key; undefined where it needs lines of its own. */
function flatten(key: string, value: unknown, from: { document: object; now: Date }): string | undefined {
  if (value === null || value === undefined) return 'none';
  if (typeof value === 'string') return value === '' ? 'none' : textOf(key, value, from);
  if (typeof value !== 'object') return typeof value === 'boolean' ? (value ? 'yes' : 'no') : String(value);
  if (Object.keys(value).length === 0) return 'none';
  if (!Array.isArray(value) || value.some((item) => typeof item === 'object')) return undefined;
  return value.map((item) => escapeText(String(item))).join(', ');
}

function textOf(key: string, value: string, { document, now }: { document: object; now: Date }): string {
  const bytes: unknown = Object.entries(document).find(([other]) => other === `${key}_bytes`)?.[1];
  if (typeof bytes === 'string') return escapeName(Buffer.from(bytes, 'base64'));
  if (/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(value)) return `${value} (${ageOf(value, now)} ago)`;
  return escapeText(value);
}

function nested(key: string, value: unknown, now: Date): string[] {
  if (Array.isArray(value)) {
    return value.flatMap((item) => {
      const lines =
        typeof item === 'object' && item !== null ? linesOf(item, now) : [escapeText(String(item))];
      return lines.map((line, at) => `${at === 0 ? '  - ' : '    '}${line}`);
    });
  }
  if (typeof value !== 'object' || value === null) return [];
  return linesOf(value, now, labelKeys.includes(key) ? escapeText : titleOf).map((line) => `  ${line}`);
}

/** `path_bytes` says nothing that the line of `path` doesn't show. */
function isBytesOfAnother(key: string, document: object): boolean {
  return key.endsWith('_bytes') && Object.hasOwn(document, key.slice(0, -'_bytes'.length));
}

/** `max_entries` → `Max entries`; what is no member of ours stays as it is. */
function titleOf(key: string): string {
  if (!/^[a-z][a-z0-9_]*$/.test(key)) return escapeText(key);
  const words = key.replaceAll('_', ' ').replace(/[a-z]+/g, (word) => properWords[word] ?? word);
  return (words[0] ?? '').toUpperCase() + words.slice(1);
}

/** How abbreviations are written in titles. */
const properWords: Readonly<Record<string, string>> = {
  id: 'ID',
  ids: 'IDs',
  uid: 'UID',
  gid: 'GID',
  pid: 'PID',
  btf: 'BTF',
  etag: 'ETag',
  cpus: 'CPUs',
};
