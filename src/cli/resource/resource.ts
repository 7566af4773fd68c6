import type { PinfoldClient } from '../../client/pinfold-client.ts';
import type { ObjectKind } from '../../model/kind.ts';
import type { Severity as FindingSeverity, RuleId } from '../../model/schema/finding.ts';
import type { Heading } from '../format/table.ts';
import { cutTo } from '../format/width.ts';

/** What `get` may be narrowed by; which of these a resource understands is its own matter. */
export interface Filters {
  readonly mount?: string | undefined;
  readonly prefix?: string | undefined;
  readonly kind?: ObjectKind | undefined;
  readonly type?: string | undefined;
  readonly name?: string | undefined;
  readonly id?: number | undefined;
  readonly owner?: string | undefined;
  readonly claimed?: boolean | undefined;
  readonly label?: string[] | undefined;
  /** Of nodes: the labels they must have. */
  readonly selector?: string | undefined;
  readonly pinned?: boolean | undefined;
  readonly held_by?: string | undefined;
  readonly finding?: RuleId | undefined;
  readonly rule?: RuleId | undefined;
  readonly severity?: FindingSeverity | undefined;
  readonly since?: string | undefined;
  readonly at?: string | undefined;
  readonly until?: string | undefined;
  readonly pin?: string | undefined;
  readonly actor?: string | undefined;
  readonly fresh?: boolean | undefined;
}

/** The name of one such filter. */
export type FilterName = keyof Filters;

/** Cells of a column outside `-o wide`: one long path would pad every other row. */
export const cellsMax = 80;

/** A column of one noun's table. `cell` gives one printable line; an empty text shows as `-`. */
export interface Column<Item> extends Heading {
  /** Shown with `-o wide` only. */
  readonly isWide?: boolean;
  /** Changes by itself as time passes, so that a watch does not take it for a change. */
  readonly isVolatile?: boolean;
  cell(item: Item, now: Date): string;
}

/** All that `get`, `describe` and completion need to know of one noun. */
export interface ResourceSpec<Item> {
  readonly singular: string;
  readonly plural: string;
  readonly aliases?: readonly string[];
  readonly filters: readonly FilterName[];
  readonly columns: readonly Column<Item>[];
  /** A thing of the fleet, which no node has by itself. */
  readonly isOfFleet?: boolean;
  /** Managers have a list of it with the items of all nodes. */
  readonly isFleetList?: boolean;
  /** How many people are shown unless they say; of a list that grows with time, such as history. */
  readonly newestMax?: number;
  /** What programs get, where an item is more than the document. */
  documentOf?(item: Item): unknown;
  /** Those of `itemsMax` are the last ones where `newestMax` is told, otherwise the first. */
  list?(client: PinfoldClient, filters: Filters, itemsMax?: number): AsyncIterable<Item>;
  /** What comes after an item, named by `nameOf`, as it happens; `0` is before all. @throws ClientError */
  follow?(client: PinfoldClient, filters: Filters, after: string): AsyncIterable<Item>;
  /** One by the name that people type. @throws ClientError, UsageError */
  find?(client: PinfoldClient, name: string, filters: Filters): Promise<Item>;
  /** What `-o name` prints, and what can be typed as an argument again. Printable. */
  nameOf(item: Item): string;
}

/** One item with everything that output formats ask about it, its type forgotten. */
export interface Row {
  readonly document: unknown;
  readonly name: string;
  /** Differs when anything differs that the table shows, ages left out. */
  readonly version: string;
  cells(isWide: boolean, now: Date): readonly string[];
}

/** A noun as the commands see it. */
export interface Resource {
  readonly singular: string;
  readonly plural: string;
  readonly words: readonly string[];
  readonly filters: readonly FilterName[];
  readonly canFind: boolean;
  readonly newestMax: number | undefined;
  readonly isOfFleet: boolean;
  readonly isFleetList: boolean;
  headings(isWide: boolean): readonly Heading[];
  /** Undefined where there is no list, only items by name. */
  list: ((client: PinfoldClient, filters: Filters, itemsMax?: number) => AsyncIterable<Row>) | undefined;
  /** Undefined where changes are found by looking again. */
  follow: ((client: PinfoldClient, filters: Filters, after: string) => AsyncIterable<Row>) | undefined;
  find: ((client: PinfoldClient, name: string, filters: Filters) => Promise<Row>) | undefined;
}

/** Makes a resource of what one file says about its noun. */
export function defineResource<Item>(spec: ResourceSpec<Item>): Resource {
  const { list, follow, find, columns } = spec;
  const shown = (isWide: boolean): readonly Column<Item>[] =>
    columns.filter((column) => isWide || column.isWide !== true);
  const rowOf = (item: Item): Row => ({
    document: spec.documentOf === undefined ? item : spec.documentOf(item),
    name: spec.nameOf(item),
    version: JSON.stringify(
      columns.filter((column) => column.isVolatile !== true).map((column) => column.cell(item, epoch)),
    ),
    cells: (isWide, now) => {
      const cells = shown(isWide).map((column) => column.cell(item, now));
      return isWide ? cells : cells.map((cell) => cutTo(cell, cellsMax));
    },
  });
  return {
    singular: spec.singular,
    plural: spec.plural,
    words: [spec.plural, spec.singular, ...(spec.aliases ?? [])],
    filters: spec.filters,
    canFind: find !== undefined,
    newestMax: spec.newestMax,
    isOfFleet: spec.isOfFleet === true,
    isFleetList: spec.isFleetList === true,
    headings: shown,
    list:
      list === undefined ? undefined : (client, filters, max) => mapRows(list(client, filters, max), rowOf),
    follow:
      follow === undefined
        ? undefined
        : (client, filters, after) => mapRows(follow(client, filters, after), rowOf),
    find:
      find === undefined
        ? undefined
        : async (client, name, filters) => rowOf(await find(client, name, filters)),
  };
}

const epoch = new Date(0);

async function* mapRows<Item>(items: AsyncIterable<Item>, rowOf: (item: Item) => Row): AsyncGenerator<Row> {
  for await (const item of items) yield rowOf(item);
}
