import type { FleetToken, Token } from '../../client/documents.ts';
import { ageColumn, shown } from './cell.ts';
import { defineResource } from './resource.ts';

/** `get tokens`: who may call over TCP. The secrets themselves are shown once, when made. */
export const tokenResource = defineResource<Token>({
  singular: 'token',
  plural: 'tokens',
  filters: [],
  columns: [
    { title: 'NAME', cell: (token) => shown(token.name) },
    { title: 'ROLE', cell: (token) => shown(token.role) },
    ageColumn((token) => token.created_at),
    ageColumn((token) => token.last_used_at, 'LAST USED'),
    { title: 'EXPIRES', cell: (token) => shown(token.expires_at ?? 'never') },
    { title: 'MADE BY', isWide: true, cell: (token) => shown(token.created_by) },
  ],
  list: (client, _, itemsMax) => client.list('/v1/tokens', {}, itemsMax),
  nameOf: (token) => shown(token.name),
});

/** The tokens that every manager of the fleet takes; `token list --fleet` shows them. */
export const fleetTokenResource = defineResource<FleetToken>({
  singular: 'token',
  plural: 'tokens',
  filters: [],
  columns: [
    { title: 'NAME', cell: (token) => shown(token.name) },
    { title: 'ROLE', cell: (token) => shown(token.role) },
    ageColumn((token) => token.created_at),
    { title: 'EXPIRES', cell: (token) => shown(token.expires_at ?? 'never') },
    { title: 'MADE BY', isWide: true, cell: (token) => shown(token.created_by) },
  ],
  list: (client, _, itemsMax) => client.list('/v1/cluster/tokens', {}, itemsMax),
  nameOf: (token) => shown(token.name),
});
