import { ClientError } from '../client/client-error.ts';
import type { SilentNode } from '../client/fleet-list.ts';
import type { PinfoldClient } from '../client/pinfold-client.ts';
import { escapeText } from '../model/escape.ts';
import { isRecord } from '../model/record.ts';
import type { Cli } from './cli.ts';
import { Exit, exitCodes, NotFoundError } from './exit.ts';
import type { Filters, Resource, Row } from './resource/resource.ts';

/** Which nodes of the fleet are meant: by labels, by names, or both. */
export interface NodesMeant {
  readonly selector: string | undefined;
  readonly nodes: readonly string[] | undefined;
}

/** What a noun means, on many nodes. */
export interface FleetAsked {
  readonly resource: Resource;
  readonly filters: Filters;
  readonly meant: NodesMeant;
}

/** Nodes that are asked at a time where the manager has no list of all of them. */
const atOnce = 8;

/** A noun's rows of many nodes: with the node in front. */
export function fleetResource(resource: Resource): Resource {
  return { ...resource, headings: (isWide) => [{ title: 'NODE' }, ...resource.headings(isWide)] };
}

/**
 * Asks many nodes, and remembers which of them did not answer: they are told once each, and make the command
 * fail when all the others have been printed.
 */
export class FleetAsker {
  readonly #cli: Cli;
  readonly #asked: FleetAsked;
  readonly #silent = new Map<string, string>();
  readonly #told = new Set<string>();

  constructor(cli: Cli, asked: FleetAsked) {
    this.#cli = cli;
    this.#asked = asked;
  }

  /** The list of all of them; by time where it is a history, otherwise by node. @throws ClientError */
  async *list(itemsMax?: number): AsyncGenerator<Row, void, undefined> {
    const { resource } = this.#asked;
    this.#silent.clear();
    const rows: Row[] = [];
    for await (const row of resource.isFleetList ? this.#ofAll(itemsMax) : this.#ofEach(itemsMax)) {
      if (resource.isFleetList && !isForPeople(this.#cli)) yield row;
      else rows.push(row);
    }
    const key = resource.newestMax === undefined ? nodeOf : timeOf;
    rows.sort((one, other) => (key(one) < key(other) ? -1 : key(one) > key(other) ? 1 : 0));
    const isCut = itemsMax !== undefined && rows.length > itemsMax;
    yield* isCut ? cut(rows, itemsMax, resource.newestMax !== undefined) : rows;
  }

  /** One item by its name on each node that has it. @throws ClientError, NotFoundError where none has */
  async *find(name: string): AsyncGenerator<Row, void, undefined> {
    const { resource, filters } = this.#asked;
    const { find } = resource;
    let count = 0;
    const rows = this.#each(async (client) => {
      try {
        return find === undefined ? [] : [await find(client, name, filters)];
      } catch (error) {
        if (error instanceof ClientError && error.problem?.status === 404 && !isNode(error)) return [];
        throw error;
      }
    });
    for await (const row of rows) {
      count += 1;
      yield row;
    }
    if (count === 0 && this.#silent.size === 0)
      throw new NotFoundError(`None of these nodes has the ${resource.singular} ${escapeText(name)}.`);
  }

  /** Tells of those that did not answer. @throws Exit 1 where there are any, unless told not to */
  async tellSilent({ isFinal }: { readonly isFinal: boolean }): Promise<void> {
    for (const [node, reason] of this.#silent) {
      if (this.#told.has(node)) continue;
      this.#told.add(node);
      const what = node === '' ? 'this may be short of nodes' : `${escapeText(node)} did not answer`;
      await this.#cli.err.line(`pinfold: ${what}: ${escapeText(reason)}`);
    }
    await this.#cli.err.flush();
    if (isFinal && this.#silent.size > 0) throw new Exit(exitCodes.error);
  }

  /** The manager's own list. */
  async *#ofAll(itemsMax: number | undefined): AsyncGenerator<Row, void, undefined> {
    const { resource, filters, meant } = this.#asked;
    const client = (await this.#cli.client()).ofFleet({ ...meant, onSilent: (node) => this.#note(node) });
    for await (const row of resource.list?.(client, filters, itemsMax) ?? []) yield ofNode(nodeOf(row), row);
  }

  #ofEach(itemsMax: number | undefined): AsyncGenerator<Row, void, undefined> {
    const { resource, filters } = this.#asked;
    return this.#each(async (client) => {
      const rows: Row[] = [];
      for await (const row of resource.list?.(client, filters, itemsMax) ?? []) rows.push(row);
      return rows;
    });
  }

  /** Asks every node that is meant, so many at a time, in the order of their names. */
  async *#each(
    ask: (client: PinfoldClient) => Promise<readonly Row[]>,
  ): AsyncGenerator<Row, void, undefined> {
    const manager = await this.#cli.client();
    const names = await this.#names(manager);
    for (let at = 0; at < names.length; at += atOnce) {
      const answers = await Promise.all(
        names.slice(at, at + atOnce).map(async (name) => {
          try {
            const rows = await ask(manager.ofNode(name));
            return rows.map((row) => ofNode(name, row));
          } catch (error) {
            if (!(error instanceof ClientError) || error.code !== 'node_unreachable') throw error;
            this.#note({ node: name, reason: error.message });
            return [];
          }
        }),
      );
      yield* answers.flat();
    }
  }

  async #names(manager: PinfoldClient): Promise<readonly string[]> {
    const { selector, nodes } = this.#asked.meant;
    const names: string[] = [];
    for await (const { name } of manager.list('/v1/cluster/nodes', { selector })) names.push(name);
    for (const name of nodes ?? []) {
      if (names.includes(name) || selector !== undefined) continue;
      throw new NotFoundError(`The fleet has no node ${escapeText(name)}.`);
    }
    return nodes === undefined ? names : names.filter((name) => nodes.includes(name));
  }

  #note({ node, reason }: SilentNode): void {
    this.#silent.set(node, reason);
  }
}

/** A row with its node in front; its name says the node, too, since another node may have the same. */
function ofNode(node: string, row: Row): Row {
  const { document } = row;
  const shown = escapeText(node);
  return {
    document: isRecord(document) ? { ...document, node } : { node, item: document },
    name: `${shown}:${row.name}`,
    version: `${shown} ${row.version}`,
    cells: (isWide, now) => [shown, ...row.cells(isWide, now)],
  };
}

function nodeOf({ document }: Row): string {
  return isRecord(document) ? String(document['node']) : '';
}

function timeOf({ document }: Row): string {
  return isRecord(document) ? String(document['time']) : '';
}

function cut(rows: readonly Row[], itemsMax: number, isNewest: boolean): readonly Row[] {
  return isNewest ? rows.slice(-itemsMax) : rows.slice(0, itemsMax);
}

function isForPeople(cli: Cli): boolean {
  const { format } = cli.globals();
  return format === 'table' || format === 'wide';
}

function isNode({ code }: ClientError): boolean {
  return code === 'node_not_found';
}
