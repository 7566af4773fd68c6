import { readFileSync } from 'node:fs';

/** What every simulated node answers to a list, in both forms. */
export interface FleetAnswer {
  readonly count: number;
  readonly lines: string;
  readonly page: string;
}

/** What one process of simulated nodes is told. */
export interface FleetPart {
  /** The number of its first node, and how many it stands for. */
  readonly first: number;
  readonly count: number;
  /** Where all its nodes listen, each on its own address. */
  readonly port: number;
  readonly etcdPort: number;
  readonly keyFile: string;
  readonly answer: FleetAnswer;
}

/** A node's name. */
export function nodeName(number: number): string {
  return `node-${String(number).padStart(5, '0')}`;
}

/** An address of the loopback network for each node. */
export function nodeAddress(number: number): string {
  return `127.${1 + (number >> 16)}.${(number >> 8) & 0xff}.${number & 0xff}`;
}

/** Reads what the bench has written to a file. */
export function parseFleetPart(file: string | undefined): FleetPart {
  return JSON.parse(readFileSync(file ?? '', 'utf8')) as FleetPart;
}
