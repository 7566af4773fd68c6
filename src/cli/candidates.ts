import { prefixQuery } from './argument.ts';
import { objectOf } from './change.ts';
import { type Cli, mountOf } from './cli.ts';
import type { Candidate } from './completion.ts';
import { shownPath } from './resource/cell.ts';
import { linkResource } from './resource/link.ts';
import { mapResource } from './resource/map.ts';
import { nodeResource } from './resource/node.ts';
import { pinResource } from './resource/pin.ts';
import { pinSetResource } from './resource/pinset.ts';
import { programResource } from './resource/program.ts';
import type { Filters, Resource } from './resource/resource.ts';
import { describableNouns, gettableNouns, resources } from './resource/resources.ts';

/** More would help nobody, and a shell waits for the answer. */
const candidatesMax = 500;

/** Commands whose arguments are pins of the agent. */
const pinCommands = ['unpin', 'rm', 'mv', 'set'];

/** What can be asked for with `why`. */
const heldResources = [mapResource, programResource, linkResource];
const heldKinds = heldResources.map(({ singular }) => ({ value: singular, description: '' }));

/**
 * What could stand where a shell's cursor is, from what the agent knows now. @throws ClientError, UsageError
 */
export async function liveCandidates(cli: Cli, words: readonly string[]): Promise<readonly Candidate[]> {
  const plain = words.filter((word, at) => !word.startsWith('-') && !takesValue(words[at - 1]));
  const [command = '', ...typed] = plain;
  const current = words.at(-1) ?? '';
  const position = typed.length - 1;
  if (pinCommands.includes(command)) return await pins(cli, current);
  if (command === 'tree' || command === 'rmdir') return await directories(cli, current);
  if (command === 'pin')
    return position === 0 ? await sources(cli, current) : await directories(cli, current);
  if (command === 'why' && position === 0) return [...heldKinds, ...(await pins(cli, current))];
  const meant = objectOfCommand(command, typed);
  if (meant !== undefined) return await names(cli, meant);
  if (command === 'create' && position === 1) return await directories(cli, current);
  if (command !== 'get' && command !== 'describe') return [];
  if (position === 0) {
    const nouns = command === 'get' ? gettableNouns : describableNouns;
    return nouns.map((value) => ({ value, description: '' }));
  }
  const resource = resources.find((candidate) => candidate.words.includes(typed[0] ?? ''));
  if (resource === pinResource) return await pins(cli, current);
  return resource === undefined || !resource.canFind ? [] : await names(cli, resource);
}

/** The kind of object that is being typed, in commands that want one by its id. */
function objectOfCommand(command: string, typed: readonly string[]): Resource | undefined {
  const position = typed.length - 1;
  if (command === 'rollout')
    return position === 1 ? pinSetResource : position === 2 ? nodeResource : undefined;
  if (command === 'delete' && position >= 1) return pinSetResource;
  if (['dump', 'count', 'freeze'].includes(command) && position >= 0) return mapResource;
  if (command === 'instructions' && position === 0) return programResource;
  if (command === 'entry' && position === 1) return mapResource;
  if (position !== 1) return undefined;
  if (command === 'why') return heldResources.find(({ words }) => words.includes(typed[0] ?? ''));
  if (command !== 'spec') return undefined;
  return typed[0] === 'map' ? mapResource : programResource;
}

async function pins(cli: Cli, current: string): Promise<readonly Candidate[]> {
  const client = await cli.client();
  const found: Candidate[] = [];
  for await (const pin of client.list('/v1/pins', { ...mountOf(cli), ...below(current) }, candidatesMax)) {
    found.push({ value: shownPath(pin), description: objectOf(pin) });
  }
  return found.filter(isTypable);
}

async function directories(cli: Cli, current: string): Promise<readonly Candidate[]> {
  const client = await cli.client();
  const found: Candidate[] = [];
  for await (const entry of client.list('/v1/tree', { ...mountOf(cli), ...below(current) }, candidatesMax)) {
    if (entry.entry === 'directory') found.push({ value: shownPath(entry), description: 'directory' });
  }
  return found.filter(isTypable);
}

/** `map:5` and its like while a kind is being typed; before that the kinds themselves. */
async function sources(cli: Cli, current: string): Promise<readonly Candidate[]> {
  const [word = '', rest] = current.split(':', 2);
  if (rest === undefined) {
    return ['map:', 'program:', 'link:', 'pin:', 'pid:'].map((value) => ({ value, description: 'source' }));
  }
  if (word === 'pin') return (await pins(cli, rest)).map((pin) => ({ ...pin, value: `pin:${pin.value}` }));
  const resource = [mapResource, programResource, linkResource].find(({ words }) => words.includes(word));
  return resource === undefined ? [] : await names(cli, resource);
}

async function names(cli: Cli, resource: Resource): Promise<readonly Candidate[]> {
  const { list } = resource;
  if (list === undefined) return [];
  const filters: Filters = {};
  const found: Candidate[] = [];
  for await (const row of list(await cli.client(), filters, candidatesMax)) {
    found.push({ value: row.name, description: row.cells(false, cli.io.now()).join(' ') });
  }
  return found.filter(isTypable);
}

/** Narrows to the directory that is typed already: prefixes are whole names. */
function below(current: string): object {
  const slash = current.lastIndexOf('/');
  return slash < 1 ? {} : prefixQuery(current.slice(0, slash));
}

/** Leaves out names that a shell would not take as they stand. */
function isTypable({ value }: Candidate): boolean {
  return /^[\p{L}\p{N}_:/@%+=,-]+$/u.test(value) && !value.startsWith('-');
}

function takesValue(word: string | undefined): boolean {
  return ['-o', '--output', '--address', '--token-file', '--mount', '--timeout'].includes(word ?? '');
}
