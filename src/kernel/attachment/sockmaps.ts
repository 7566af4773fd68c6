import { openObjectById } from '../bpf/objects.ts';
import { ProgramQuery } from '../bpf/query.ts';
import { typeNumber } from '../object/names.ts';
import type { Calls } from '../sys/calls.ts';
import { isSystemCallError } from '../sys/errno.ts';
import type { Sighting } from './sighting.ts';

/** What a sockmap or sockhash can run (net/core/sock_map.c, sock_map_bpf_prog_query; Linux 5.18). */
const places = ['sk_skb_stream_parser', 'sk_skb_stream_verdict', 'sk_msg_verdict', 'sk_skb_verdict'] as const;

/** BPF_MAP_TYPE_SOCKMAP and BPF_MAP_TYPE_SOCKHASH. */
export const sockmapTypes: readonly number[] = [15, 18];

/** The programs that sockmaps run on their sockets' data; each map is open while it is asked. */
export function seeSockmaps(calls: Calls, mapIds: readonly number[]): readonly Sighting[] {
  const query = new ProgramQuery();
  return mapIds.flatMap((id) => seeSockmap(calls, id, query));
}

function seeSockmap(calls: Calls, id: number, query: ProgramQuery): readonly Sighting[] {
  try {
    using map = openObjectById('map', id, calls.fds);
    return places.flatMap((attachType): Sighting[] => {
      const answer = query.ask(map, typeNumber('attach', attachType), { hasLinks: false });
      if (typeof answer === 'string') return [];
      return answer.programs.map(({ programId }) => ({
        kind: 'sockmap',
        object: { kind: 'program', id: programId },
        attachType,
        map: id,
      }));
    });
  } catch (error) {
    if (isSystemCallError(error, 'ENOENT')) return [];
    throw error;
  }
}
