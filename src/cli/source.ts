import type { PinRequest } from '../client/documents.ts';
import { getPin } from '../client/get-pin.ts';
import { readData } from '../client/pinfold-client.ts';
import { escapeText } from '../model/escape.ts';
import { urlOf } from '../model/path.ts';
import { kindNamed, parseId, parseNumber, parsePathArgument } from './argument.ts';
import { objectOf } from './change.ts';
import type { Cli } from './cli.ts';
import { UsageError } from './exit.ts';

type Source = PinRequest['source'];
type Expect = NonNullable<Source['expect']>;

/** A source as a request carries it, and in words. */
export interface KnownSource {
  readonly source: Source;
  readonly words: string;
}

/** What a person may say of the source beside where it is. */
export interface SourceFlags {
  readonly sourceMount?: string;
  readonly startTime?: string;
  readonly expectName?: string;
  readonly expectType?: string;
  readonly expectTag?: string;
  readonly expectFingerprint?: string;
}

/**
 * Reads `map:5`, `program:12`, `link:3`, `pin:other/path` or `pid:812/fd:7`.
 *
 * An id or a path is looked up first and the fingerprint found is sent along: what gets pinned is what was
 * shown, though the kernel may use the id again, or somebody replace the pin, in between.
 *
 * @throws UsageError, ClientError object_not_found, pin_not_found…
 */
export async function resolveSource(cli: Cli, text: string, flags: SourceFlags): Promise<KnownSource> {
  const colon = text.indexOf(':');
  const word = text.slice(0, Math.max(0, colon));
  const rest = text.slice(colon + 1);
  const expect = expectationOf(flags);
  if (word === 'pin') return await pinSource(cli, rest, { expect, mount: flags.sourceMount });
  if (word === 'pid') return processSource(rest, { expect, startTime: flags.startTime });
  const kind = kindNamed(word);
  if (kind === undefined || kind === 'btf') {
    const examples = 'map:5, program:12, link:3, pin:other/path or pid:812/fd:7';
    throw new UsageError(`${escapeText(text)} is not a source; write ${examples}.`);
  }
  const params = { path: { id: parseId(rest, kind) } };
  const { api } = await cli.client();
  const calls = {
    map: () => readData(api.GET('/v1/maps/{id}', { params })),
    program: () => readData(api.GET('/v1/programs/{id}', { params })),
    link: () => readData(api.GET('/v1/links/{id}', { params })),
  };
  const object = await calls[kind]();
  const { id, type, fingerprint } = object;
  const name = 'name' in object ? object.name : '';
  return {
    source: { kind, id, expect: { fingerprint, ...expect } },
    words: objectOf({ kind, id, type, name }),
  };
}

async function pinSource(
  cli: Cli,
  text: string,
  { expect, mount }: { readonly expect: Expect; readonly mount: string | undefined },
): Promise<KnownSource> {
  const path = parsePathArgument(text);
  const at = mount ?? cli.globals().mount;
  const place = at === undefined ? {} : { mount: at };
  const pin = await getPin(await cli.client(), urlOf(path), place);
  const seen = pin.fingerprint === undefined ? {} : { fingerprint: pin.fingerprint };
  const where = pin.path_bytes === undefined ? { pin: pin.path } : { pin_bytes: pin.path_bytes };
  return { source: { ...where, ...place, expect: { ...seen, ...expect } }, words: objectOf(pin) };
}

function processSource(
  text: string,
  { expect, startTime }: { readonly expect: Expect; readonly startTime: string | undefined },
): KnownSource {
  const [, pid, fd] = /^(\d+)\/fd:(\d+)$/.exec(text) ?? [];
  if (pid === undefined || fd === undefined) {
    throw new UsageError(`${escapeText(text)} is not a descriptor; write pid:812/fd:7.`);
  }
  const ticks = startTime === undefined ? {} : { start_time: parseNumber(startTime, { min: 0, max: 1e15 }) };
  const source = {
    pid: parseNumber(pid, { min: 1, max: 4_194_304 }),
    fd: parseNumber(fd, { min: 0, max: 0x7fffffff }),
    ...ticks,
    expect,
  };
  return { source, words: `descriptor ${source.fd} of process ${source.pid}` };
}

function expectationOf(flags: SourceFlags): Expect {
  return {
    ...(flags.expectName === undefined ? {} : { name: flags.expectName }),
    ...(flags.expectType === undefined ? {} : { type: flags.expectType }),
    ...(flags.expectTag === undefined ? {} : { tag: flags.expectTag }),
    ...(flags.expectFingerprint === undefined ? {} : { fingerprint: flags.expectFingerprint }),
  };
}
