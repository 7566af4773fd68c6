import { PinfoldError } from '../error.ts';
import { textOf } from '../path.ts';
import { ownerOfCgroup } from './cgroup.ts';
import type { HolderFacts, ObjectKey, ProcessFact } from './facts.ts';

/** What a process can be looked for by. */
const traits = ['pid', 'comm', 'unit', 'container', 'pod'] as const;

/** A choice of processes: `pid:812`, `comm:bird`, `unit:bird.service`, `container:3f2a…`, `pod:UID`. */
export interface HeldBy {
  readonly trait: (typeof traits)[number];
  readonly value: string;
}

/** Reads the choice as a query writes it. @throws PinfoldError invalid_input */
export function parseHeldBy(text: string): HeldBy {
  const [, word, value = ''] = /^([a-z]+):(.+)$/s.exec(text) ?? [];
  const trait = traits.find((known) => known === word);
  if (trait !== undefined && isValueOf(trait, value)) return { trait, value };
  throw new PinfoldError('invalid_input', {
    detail: 'held_by wants pid:NUMBER, comm:NAME, unit:NAME, container:ID (12 digits or more) or pod:UID.',
    errors: [
      { pointer: '/query/held_by', detail: `begins with none of ${traits.join(':, ')}: or lacks a value` },
    ],
  });
}

function isValueOf(trait: HeldBy['trait'], value: string): boolean {
  return trait === 'pid' ? /^[1-9]\d{0,9}$/.test(value) : true;
}

/** So many digits people copy from `docker ps`; fewer could mean several containers. */
const containerDigitsMin = 12;

/** Tells whether a process is one of those chosen. */
export function isChosen(fact: ProcessFact, { trait, value }: HeldBy): boolean {
  if (trait === 'pid') return fact.pid === Number(value);
  if (trait === 'comm') return textOf(fact.comm) === value;
  const bytes = ownerOfCgroup(fact.cgroup)[trait];
  if (bytes === undefined) return false;
  const owner = textOf(bytes);
  const isShort = trait === 'container' && value.length >= containerDigitsMin;
  return isShort ? owner.startsWith(value) : owner === value;
}

/**
 * The objects that processes so chosen hold themselves: with descriptors, mappings, unlinked pins and perf
 * events. What those objects hold in turn is not among them.
 */
export function objectsHeldBy(facts: HolderFacts, choice: HeldBy): readonly ObjectKey[] {
  const pids = new Set<number>();
  for (const fact of facts.processes.values()) if (isChosen(fact, choice)) pids.add(fact.pid);
  const isHeld = ({ pid }: { readonly pid: number }): boolean => pids.has(pid);
  return [
    ...facts.files.filter((file) => file.descriptors.some(isHeld) || file.mappings.some(isHeld)),
    ...facts.openInodes.filter(isHeld),
    ...facts.attachments.filter(({ event }) => event !== undefined && isHeld(event)),
  ].map(({ object }) => object);
}
