import { PinfoldError } from '../../model/error.ts';
import type { Json } from '../../model/json.ts';
import { isCgroupInput, isProcessInput, isSocketInput } from '../../model/schema/entry-reference.ts';

/** Whose storage a map holds: the kernel knows an entry by a descriptor of that, and by nothing else. */
export type OwnerKind = 'socket' | 'inode' | 'task' | 'cgroup';

/** An owner, as a request names it. */
export type GivenOwner =
  | { readonly kind: 'descriptor'; readonly pid: number; readonly fd: number; readonly startTime?: number }
  | { readonly kind: 'process'; readonly pid: number; readonly startTime?: number }
  | { readonly kind: 'cgroup'; readonly id: bigint };

const examples: Readonly<Record<OwnerKind, string>> = {
  socket: '{"pid":12,"fd":3}, a socket that a process has open',
  inode: '{"pid":12,"fd":3}, a file that a process has open',
  task: '{"pid":12}',
  cgroup: '{"cgroup_id":"77"}, as links give it',
};

/** @throws PinfoldError invalid_input */
export function parseOwner(kind: OwnerKind, json: Json): GivenOwner {
  if ((kind === 'socket' || kind === 'inode') && isSocketInput(json)) {
    const { pid, fd, start_time: startTime } = json;
    return { kind: 'descriptor', pid, fd, ...(startTime === undefined ? {} : { startTime }) };
  }
  if (kind === 'task' && isProcessInput(json)) {
    const { pid, start_time: startTime } = json;
    return { kind: 'process', pid, ...(startTime === undefined ? {} : { startTime }) };
  }
  if (kind === 'cgroup' && isCgroupInput(json)) return { kind: 'cgroup', id: BigInt(json.cgroup_id) };
  throw new PinfoldError('invalid_input', {
    detail: `Here is wanted ${examples[kind]}.`,
    errors: [{ pointer: '/query/key', detail: `must be like ${examples[kind]}` }],
  });
}
