import { ConfigError } from '../model/config.ts';
import type { Peer } from '../model/peer.ts';
import { mayAct, type Role } from '../model/role.ts';
import type { LocalRoles } from './auth.ts';

/**
 * Makes the roles of local users and groups from the configuration and the texts of /etc/passwd and
 * /etc/group (passwd(5), group(5)). Membership is looked up once: whoever changes it restarts the agent.
 *
 * @throws ConfigError where a name is not in those files
 */
export function createLocalRoles(given: {
  readonly users: Readonly<Record<string, Role>>;
  readonly groups: Readonly<Record<string, Role>>;
  readonly passwd: string;
  readonly group: string;
}): LocalRoles {
  const passwd = parseTable(given.passwd);
  const group = parseTable(given.group);
  const byUid = new Map<number, Role>([[0, 'admin']]);
  const byGid = new Map<number, Role>();
  for (const [name, role] of Object.entries(given.users)) raise(byUid, idOf('user', name, passwd), role);
  for (const [name, role] of Object.entries(given.groups)) {
    raise(byGid, idOf('group', name, group), role);
    const members = group.find((row) => row[0] === name || row[2] === name)?.[3] ?? '';
    for (const member of members.split(',').filter((text) => text !== '')) {
      raise(byUid, idOf('user', member, passwd), role);
    }
  }
  return { roleOf: (peer: Peer) => higher(byUid.get(peer.uid), byGid.get(peer.gid)) };
}

/** The number of a group, from the text of /etc/group; undefined where there is none of this name. */
export function groupIdOf(group: string, name: string): number | undefined {
  const row = parseTable(group).find((candidate) => candidate[0] === name);
  return row === undefined ? undefined : Number(row[2]);
}

function idOf(what: 'user' | 'group', name: string, table: readonly (readonly string[])[]): number {
  const row = table.find((candidate) => candidate[0] === name);
  const id = row?.[2] ?? name;
  if (/^\d{1,10}$/.test(id)) return Number(id);
  throw new ConfigError(`There is no ${what} "${name}" on this machine; the configuration gives it a role.`);
}

function raise(roles: Map<number, Role>, id: number, role: Role): void {
  const raised = higher(roles.get(id), role);
  if (raised !== undefined) roles.set(id, raised);
}

function higher(one: Role | undefined, other: Role | undefined): Role | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return mayAct(one, other) ? one : other;
}

function parseTable(text: string): readonly (readonly string[])[] {
  return text.split('\n').map((line) => line.split(':'));
}
