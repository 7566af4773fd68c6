import type { ObjectKey } from './facts.ts';
import { type Holder, type Holders, keyOf, type PinnedInode } from './holders.ts';
import {
  attachmentWords,
  descriptorWords,
  enumerate,
  filesystemWords,
  type LabelOf,
  objectWords,
  pathWords,
  processWords,
} from './words.ts';

/** What sentences are made from. */
export interface ReasonParts {
  readonly holders: Holders;
  readonly labelOf: LabelOf;
  /** The instance that needs no naming: where `--bpffs` is. */
  readonly primaryMount: string | undefined;
}

/** So many holders of a sort a sentence names; so deep it goes into who holds those. */
const bounds = { named: 5, depth: 4 } as const;

/** A phrase for each sort of holder, and how many things the phrases name: two descriptors are two. */
export interface Reasons {
  readonly phrases: readonly string[];
  readonly count: number;
}

/**
 * Who holds an object, in phrases: pins, programs, links, slots, places, descriptors. Of each object among
 * them it is said in brackets why that is alive itself.
 */
export function reasonsFor(parts: ReasonParts, object: ObjectKey): Reasons {
  const holders = parts.holders.of(object);
  const seen = new Set([keyOf(object)]);
  const phrases = [
    ...pinPhrases(parts, holders),
    ...objectPhrases(parts, holders, seen),
    ...holders.flatMap((holder) => (holder.by === 'attachment' ? attachmentWords(holder.attachment) : [])),
    ...filePhrases(parts, holders),
  ];
  return { phrases, count: holders.reduce((sum, holder) => sum + namedBy(holder), 0) };
}

/** An open file is one holder, and every descriptor that leads to it is named. */
function namedBy(holder: Holder): number {
  if (holder.by === 'inode') return Math.max(1, holder.inode.descriptors.length);
  if (holder.by !== 'file') return 1;
  const { descriptors, mappings } = holder.file;
  return Math.max(1, descriptors.length > 0 ? descriptors.length : mappings.length);
}

function pinPhrases(parts: ReasonParts, holders: readonly Holder[]): readonly string[] {
  const byMount = new Map<string, PinnedInode[]>();
  for (const holder of holders) {
    if (holder.by !== 'pin') continue;
    const pins = byMount.get(holder.pin.mount);
    if (pins === undefined) byMount.set(holder.pin.mount, [holder.pin]);
    else pins.push(holder.pin);
  }
  return [...byMount].map(([mount, pins]) => {
    const names = enumerate(pins.map(namesOf), { max: bounds.named });
    const where = placeOf(parts, mount);
    return pins.length === 1 ? `pin ${names}${where}` : `${pins.length} pins (${names})${where}`;
  });
}

function namesOf({ paths }: PinnedInode): string {
  const [first = '', ...others] = paths.map(pathWords);
  return others.length === 0 ? first : `${first} (hard link: ${enumerate(others, { max: bounds.named })})`;
}

function placeOf({ holders, primaryMount }: ReasonParts, mount: string): string {
  const filesystem = holders.filesystem(mount);
  if (mount === primaryMount && filesystem?.state !== 'detached' && filesystem?.state !== 'shadowed')
    return '';
  const words = filesystem === undefined ? undefined : filesystemWords(filesystem, holders);
  return ` in ${words ?? `bpffs ${mount}`}`;
}

function objectPhrases(
  parts: ReasonParts,
  holders: readonly Holder[],
  seen: ReadonlySet<string>,
): readonly string[] {
  const phrases = holders.flatMap((holder) => {
    if (holder.by !== 'object') return [];
    const { holder: above, hold, key } = holder.hold;
    const words = objectWords(above, parts.labelOf(above));
    const slot = hold === 'slot' ? `slot ${key ?? ''} of ` : '';
    return `${slot}${words}${inBrackets(parts, above, seen)}`;
  });
  return phrases.length > bounds.named
    ? [...phrases.slice(0, bounds.named), `${phrases.length - bounds.named} more objects`]
    : phrases;
}

/** Why a holder is alive itself; nothing where that has been said already, or leads too far. */
function inBrackets(parts: ReasonParts, object: ObjectKey, seen: ReadonlySet<string>): string {
  if (seen.has(keyOf(object)) || seen.size > bounds.depth) return '';
  const deeper = new Set([...seen, keyOf(object)]);
  const holders = parts.holders.of(object);
  const places = [
    ...holders.flatMap((holder) => (holder.by === 'attachment' ? holder.attachment : [])),
    ...(object.kind === 'link' ? parts.holders.attachmentsOfLink(object.id) : []),
  ].map(attachmentWords);
  const others = [
    ...pinPhrases(parts, holders),
    ...objectPhrases(parts, holders, deeper),
    ...filePhrases(parts, holders),
  ];
  const said = [
    ...(places.length === 0 ? [] : [`attached: ${enumerate(places, { max: bounds.named })}`]),
    ...(others.length === 0 ? [] : [`held by ${enumerate(others, { max: bounds.named })}`]),
  ];
  return said.length === 0 ? '' : ` (${said.join('; ')})`;
}

function filePhrases(parts: ReasonParts, holders: readonly Holder[]): readonly string[] {
  const phrases = holders.flatMap((holder) => {
    if (holder.by === 'inode') {
      const { path, descriptors } = holder.inode;
      return `${descriptorWords(descriptors, parts.holders)} on the unlinked pin ${pathWords(path)}`;
    }
    return holder.by === 'file' ? fileWords(parts, holder.file) : [];
  });
  return phrases.length > bounds.named
    ? [...phrases.slice(0, bounds.named), `${phrases.length - bounds.named} more open files`]
    : phrases;
}

function fileWords({ holders }: ReasonParts, file: Extract<Holder, { by: 'file' }>['file']): string {
  const { descriptors, mappings, through } = file;
  if (descriptors.length > 0) {
    const words = descriptorWords(descriptors, holders);
    return through === 'iterator' ? `${words} (an iterator)` : words;
  }
  const pids = [...new Set(mappings.map(({ pid }) => pid))];
  const who = pids.map((pid) => processWords(pid, holders.processOf(pid)));
  return `a mapping in ${enumerate(who, { max: bounds.named })}`;
}
