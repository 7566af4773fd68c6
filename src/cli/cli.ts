import type { Command } from 'commander';
import type { PinfoldClient } from '../client/pinfold-client.ts';
import type { Local } from '../model/local.ts';
import { parseDuration } from './argument.ts';
import { connect } from './connect.ts';
import { UsageError } from './exit.ts';
import { type Style, styleFor } from './format/style.ts';
import type { Io } from './io.ts';
import { type LineWriter, lineWriter } from './output.ts';
import { nothingTyped, type Typed, typedOf } from './typed.ts';

/** How a command prints what it found. */
export const formats = ['table', 'wide', 'json', 'ndjson', 'yaml', 'name'] as const;
/** One of them, as `-o` takes it. */
export type Format = (typeof formats)[number];

/** Options that every command has. */
export interface Globals {
  readonly format: Format;
  readonly hasHeader: boolean;
  /** `major:minor` of another instance than the agent's own. */
  readonly mount: string | undefined;
  readonly timeoutMs: number;
  readonly address: string | undefined;
  readonly tokenFile: string | undefined;
  /** The node of a fleet that is meant, or several; undefined for the one that answers. */
  readonly nodes: readonly string[] | undefined;
}

/** What a command works with. One is made for each call of `runCli`. */
export interface Cli {
  readonly io: Io;
  readonly local: Local;
  readonly out: LineWriter;
  readonly err: LineWriter;
  readonly style: Style;
  globals(): Globals;
  /** The command that runs. */
  typed(): Typed;
  /** The agent; connected to at the first call. @throws UsageError, ClientError unreachable, socket_denied */
  client(): Promise<PinfoldClient>;
  /** From now on `client` is the manager itself, also where --node names nodes behind it. */
  askManager(): void;
  close(): Promise<void>;
}

/** Makes what commands work with; `root` is asked for global options only when a command runs. */
export function makeCli(root: Command, io: Io, local: Local): Cli {
  let opened: Promise<PinfoldClient> | undefined;
  let isManager = false;
  let typed = nothingTyped;
  root.hook('preAction', (_, command) => {
    typed = typedOf(command);
  });
  const globals = (): Globals => parseGlobals(root.opts<GlobalFlags>(), io);
  return {
    io,
    local,
    out: lineWriter(io.stdout),
    err: lineWriter(io.stderr),
    style: styleFor(io.isTTY.stdout, io.env),
    globals,
    typed: () => typed,
    client: () => {
      const { tlsCa, clientCert, clientKey } = root.opts<GlobalFlags>();
      const node = isManager ? undefined : oneOf(globals().nodes);
      opened ??= connect({ ...globals(), node, tlsCa, clientCert, clientKey });
      return opened;
    },
    askManager: () => {
      isManager = true;
    },
    close: async () => {
      const client = await opened?.catch(() => undefined);
      await client?.close();
    },
  };
}

function oneOf(nodes: readonly string[] | undefined): string | undefined {
  if (nodes === undefined || nodes.length === 1) return nodes?.[0];
  throw new UsageError('This asks one node; only get and events take several after --node.');
}

/** The `?mount=` of requests that address one instance; nothing where the agent's own is meant. */
export function mountOf(cli: Cli): { readonly mount?: string } {
  const { mount } = cli.globals();
  return mount === undefined ? {} : { mount };
}

interface GlobalFlags {
  readonly output?: string;
  readonly headers: boolean;
  readonly mount?: string;
  readonly timeout: string;
  readonly address?: string;
  readonly tokenFile?: string;
  readonly node?: string;
  readonly tlsCa?: string;
  readonly clientCert?: string;
  readonly clientKey?: string;
}

function parseGlobals(flags: GlobalFlags, { env }: Io): Globals {
  const format = formats.find((candidate) => candidate === (flags.output ?? 'table'));
  if (format === undefined) throw new UsageError(`-o takes one of ${formats.join(', ')}.`);
  if (flags.mount !== undefined && !/^\d{1,9}:\d{1,9}$/.test(flags.mount)) {
    throw new UsageError('--mount takes major:minor, such as 0:39; `pinfold get mounts` lists them.');
  }
  return {
    format,
    hasHeader: flags.headers,
    mount: flags.mount,
    timeoutMs: parseDuration(flags.timeout),
    address: flags.address ?? (env['PINFOLD_ADDRESS'] || undefined),
    nodes: flags.node?.split(','),
    tokenFile: flags.tokenFile ?? (env['PINFOLD_TOKEN_FILE'] || undefined),
  };
}
