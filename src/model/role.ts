/** What a caller may do, from least to most; each includes the ones before it. */
export const roles = ['viewer', 'reader', 'operator', 'admin'] as const;

/** viewer: metadata · reader: and map contents · operator: and change · admin: and tokens, backups. */
export type Role = (typeof roles)[number];

/** Tells whether a caller who has one role may do what another role is asked for. */
export function mayAct(has: Role, needed: Role): boolean {
  return roles.indexOf(has) >= roles.indexOf(needed);
}

/** Who is calling, once the edge has found out. */
export interface Caller {
  /**
   * `api:NAME` for a token, `uid:N pid:N comm:X` for a peer on the unix socket: what history calls the
   * actor.
   */
  readonly actor: string;
  readonly role: Role;
  /** Who connected to the unix socket; 0 where its pid namespace cannot be seen. */
  readonly pid?: number;
}
