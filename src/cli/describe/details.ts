import type { PinfoldClient } from '../../client/pinfold-client.ts';
import { readLinkDetails } from './link.ts';
import { readMapDetails } from './map.ts';
import { readProgramDetails } from './program.ts';

/** A part of a description: for programs as it is, for people as lines. */
export interface Detail {
  /** The member it is in documents. */
  readonly member: string;
  readonly value: unknown;
  /** Printable. */
  readonly lines: readonly string[];
}

/** What is worth knowing of an object beside its document; nothing for other kinds of things. */
export async function readDetails(client: PinfoldClient, document: object): Promise<readonly Detail[]> {
  if (!('kind' in document && 'id' in document) || typeof document.id !== 'number') return [];
  const id = String(document.id);
  switch (document.kind) {
    case 'map':
      return await readMapDetails(client, id);
    case 'program':
      return await readProgramDetails(client, id);
    case 'link':
      return await readLinkDetails(client, document);
    default:
      return [];
  }
}
