import type { Hazard } from '../hazard.ts';
import type { Unexplained } from './account.ts';
import type { Consequence } from './consequence.ts';
import type { ObjectKey, UnavailableFact } from './facts.ts';
import { keyOf } from './holders.ts';
import { type ReasonParts, reasonsFor } from './reasons.ts';
import { attachmentWords, enumerate, objectWords, pathWords } from './words.ts';

/** Everything the sentences tell. */
export interface Story {
  readonly object: ObjectKey;
  readonly consequences: readonly Consequence[];
  /** Pins on the way of which it was not worked out. */
  readonly consequencesLeftOut: number;
  readonly unexplained: Unexplained | undefined;
  /** What the kernel counts in all; undefined where it cannot be read. */
  readonly counted: number | undefined;
  readonly unavailable: readonly UnavailableFact[];
}

/** So many pins of other objects a story tells the loss of. */
const othersMax = 5;

/**
 * Programs are held there without a link, and no query lists them (net/core/lwt_bpf.c,
 * net/netfilter/xt_bpf.c).
 */
const untoldPlaces =
  'It may run where the kernel tells nobody of it: on a route (lwt_bpf, seg6local), in a rule of iptables ' +
  '(xt_bpf), on a TUN device, or for a socket that no process has open.';

const nothingLost = 'nothing is lost';

/**
 * Why an object is alive and what unpinning would cost, for people. Every name in it is escaped.
 */
export function sentencesFor(parts: ReasonParts, story: Story): readonly string[] {
  const { object, consequences, unexplained, unavailable } = story;
  const own = consequences.filter(({ pin }) => keyOf(pin.object) === keyOf(object));
  const others = consequences.filter(
    ({ pin, freed, perhapsFreed }) =>
      keyOf(pin.object) !== keyOf(object) &&
      [...freed, ...perhapsFreed].some((lost) => keyOf(lost) === keyOf(object)),
  );
  return [
    ...whyAlive(parts, story, own),
    ...(isOneOutcome(parts, own) ? [] : own.map((each) => `${capital(ifUnpinned(parts, [each]))}.`)),
    ...others.slice(0, othersMax).map((each) => `${capital(ifUnpinned(parts, [each]))}.`),
    ...leftOutSentence(story.consequencesLeftOut),
    ...hiddenSentence(unexplained),
    ...unavailable.map(({ what, reason }) => `Not seen: ${what}, because ${reason}.`),
  ];
}

function whyAlive(parts: ReasonParts, story: Story, own: readonly Consequence[]): readonly string[] {
  const { object, counted } = story;
  const subject = subjectWords(parts, object);
  const { phrases, count } = reasonsFor(parts, object);
  if (count === 0) {
    const kernel = counted === undefined ? '' : `; the kernel counts ${references(counted)}`;
    const nothing = `Nothing that can be seen holds ${subject}${kernel}.`;
    return object.kind === 'program' && counted !== undefined ? [nothing, untoldPlaces] : [nothing];
  }
  const verb = count === 1 ? 'holds' : 'hold';
  const outcome = own.length > 0 && isOneOutcome(parts, own) ? `; ${ifUnpinned(parts, own)}` : '';
  return [`${subject} is alive because ${enumerate(phrases, { max: 40 })} ${verb} it${outcome}.`];
}

/** A link with what it keeps attached: that is what it is for. */
function subjectWords({ holders, labelOf }: ReasonParts, object: ObjectKey): string {
  const words = objectWords(object, labelOf(object));
  const places = object.kind === 'link' ? holders.attachmentsOfLink(object.id).map(attachmentWords) : [];
  return places.length === 0 ? words : `${words} (attached: ${enumerate(places, { max: 5 })})`;
}

function isOneOutcome(parts: ReasonParts, own: readonly Consequence[]): boolean {
  return new Set(own.map((each) => outcomeWords(parts, each))).size <= 1;
}

/** `if you unpin a or b nothing is lost`. */
function ifUnpinned(parts: ReasonParts, consequences: readonly Consequence[]): string {
  const names = consequences.flatMap(({ pin }) => pin.paths.map(pathWords));
  const [first] = consequences;
  const which =
    names.length > 3 ? `any one of these ${names.length} pins` : enumerate(names, { max: 3, word: 'or' });
  const outcome = first === undefined ? nothingLost : outcomeWords(parts, first);
  return `if you unpin ${which}${outcome === nothingLost ? '' : ','} ${outcome}`;
}

function outcomeWords(parts: ReasonParts, consequence: Consequence): string {
  const { perhapsFreed, detached, hazards, pin } = consequence;
  const freed = consequence.freed.filter((one) => !detached.includes(one));
  const words = (object: ObjectKey): string => objectWords(object, parts.labelOf(object));
  const isOfProgram = perhapsFreed.some(({ kind }) => kind === 'program');
  const losses = [
    ...(detached.length === 0
      ? []
      : [`${enumerate(detached.map(words), { max: 5 })} ${are(detached)} detached`]),
    ...(isEmptied(hazards)
      ? [`the slots of ${words(pin.object)} are cleared, and tail calls through it end`]
      : []),
    ...(freed.length === 0 ? [] : [`${enumerate(freed.map(words), { max: 5 })} ${are(freed)} freed`]),
    ...(perhapsFreed.length === 0
      ? []
      : [
          `${enumerate(perhapsFreed.map(words), { max: 5 })} may be freed, ` +
            `as it cannot be told what else holds ${isOfProgram ? 'the program' : 'it'}`,
        ]),
  ];
  return losses.length === 0 ? nothingLost : enumerate(losses, { max: 5 });
}

function isEmptied(hazards: readonly Hazard[]): boolean {
  return hazards.includes('prog_array_emptied');
}

function are(objects: readonly ObjectKey[]): string {
  return objects.length === 1 ? 'is' : 'are';
}

function leftOutSentence(pins: number): readonly string[] {
  if (pins === 0) return [];
  return [
    `What it would cost to unpin ${pins === 1 ? '1 more pin' : `${pins} more pins`} was not worked out.`,
  ];
}

/** What may be meant by references of which nobody can show the holder. */
function hiddenSentence(unexplained: Unexplained | undefined): readonly string[] {
  if (unexplained === undefined) return [];
  const { users, kernel, isSettled } = unexplained;
  const found: string[] = [];
  if (users > 0) {
    found.push(
      `The kernel counts ${references(users)} from user space that nobody shows: ` +
        'a descriptor on its way through a socket, a file registered with io_uring, ' +
        'or a process or mount that cannot be seen from here.',
    );
  }
  if (kernel > 0) {
    found.push(
      `The kernel counts ${references(kernel)} of a kind that cannot be enumerated: it may be ` +
        'a program that is being loaded or freed, or a link in a socket or io_uring.',
    );
  }
  if (!isSettled) found.push('Holders came or went while this was read.');
  return found;
}

function references(count: number): string {
  return count === 1 ? '1 reference' : `${count} references`;
}

function capital(sentence: string): string {
  return `${sentence[0]?.toUpperCase() ?? ''}${sentence.slice(1)}`;
}
