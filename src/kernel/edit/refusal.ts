import { type ErrorCode, PinfoldError } from '../../model/error.ts';
import type { Editing } from './edit-types.ts';

/** What was asked of the kernel when it refused. */
export type EditAttempt = 'put' | 'remove' | 'freeze';

const verbs: Readonly<Record<EditAttempt, string>> = {
  put: 'write to',
  remove: 'remove from',
  freeze: 'freeze',
};
const commands: Readonly<Record<EditAttempt, string>> = {
  put: 'bpf(BPF_MAP_UPDATE_ELEM)',
  remove: 'bpf(BPF_MAP_DELETE_ELEM)',
  freeze: 'bpf(BPF_MAP_FREEZE)',
};

interface Meaning {
  readonly code: ErrorCode;
  /** Ends the sentence `Cannot … map 5: `. */
  readonly why: string;
}

/** What the kernel's refusal to change a map means. */
export function editRefusal(editing: Editing, attempt: EditAttempt, errno: string): PinfoldError {
  const { info } = editing.shape;
  const { code, why } = meaningOf(editing, attempt, errno);
  return new PinfoldError(code, {
    detail: `Cannot ${verbs[attempt]} map ${info.id} (${info.type}): ${why}.`,
    kind: 'map',
    id: info.id,
    map_type: info.type,
    syscall: commands[attempt],
    errno,
    ...(code === 'invalid_input' ? { errors: [{ pointer: '/body', detail: why }] } : {}),
  });
}

function meaningOf({ shape, rule }: Editing, attempt: EditAttempt, errno: string): Meaning {
  const { info } = shape;
  const beyond = `the last slot is ${info.max_entries - 1}`;
  const takesSockets = attempt === 'put' && rule.reference?.kind === 'socket';
  if (rule.owner !== undefined && (errno === 'ENOTSOCK' || errno === 'EBADF')) {
    return { code: 'invalid_input', why: `what the key names is no ${rule.owner}` };
  }
  switch (errno) {
    case 'EPERM':
    case 'EACCES':
      return info.frozen === true
        ? { code: 'map_frozen', why: 'it is frozen: closed to writes from user space for good' }
        : { code: 'permission_denied', why: 'the kernel does not allow it' };
    case 'EEXIST':
      return { code: 'entry_exists', why: 'the entry is there already' };
    case 'ENOENT':
      return { code: 'entry_not_found', why: 'there is no such entry' };
    case 'E2BIG':
      return rule.hasSlots === true
        ? { code: 'invalid_input', why: beyond }
        : { code: 'map_full', why: `it has ${info.max_entries} entries, and that is all it takes` };
    case 'ENOSPC':
      return { code: 'map_full', why: `it has ${info.max_entries} entries, and that is all it takes` };
    case 'ENOMEM':
      return { code: 'out_of_memory', why: 'the kernel has no memory for it' };
    case 'EBUSY':
      return {
        code: 'conflict',
        why:
          attempt === 'freeze'
            ? 'a process has it mapped to write'
            : takesSockets
              ? 'the socket is in another such map'
              : 'the kernel is busy with it',
      };
    case 'EAGAIN':
      return { code: 'conflict', why: 'it is being changed at this moment' };
    case 'ENOTSUPP':
    case 'EOPNOTSUPP':
      if (takesSockets) return { code: 'invalid_input', why: whyInvalid('cookie', info.type) };
      // Beside struct_ops, what map_freeze (kernel/bpf/syscall.c) does not take is a map with special fields.
      if (attempt === 'freeze' && info.type !== 'struct_ops') {
        const why = 'its values have fields that the kernel keeps to itself, such as a lock or a timer';
        return { code: 'not_supported', why: `${why}, and it freezes no such map` };
      }
      return { code: 'not_supported', why: `this kernel does not do that with maps of type ${info.type}` };
    default:
      return { code: 'invalid_input', why: `${whyInvalid(shape.meaning, info.type)} (${errno})` };
  }
}

/** Why a value of a type is refused as invalid: what the sources ask for (kernel/bpf, net/core). */
function whyInvalid(meaning: Editing['shape']['meaning'], type: string): string {
  switch (meaning) {
    case 'map':
      return 'maps in it must have the type, sizes and flags of its template, and be no maps of maps';
    case 'program':
      return 'programs in it must be of one type, and loaded alike';
    case 'device':
      return 'the device must be there, and the program be one for devices in maps (BPF_XDP_DEVMAP)';
    case 'cpu':
      return 'the CPU must be possible, its queue 1 to 16384 long, its program one for CPUs in maps';
    case 'cookie':
      return 'the socket must be of a kind that such maps take, and connected';
    default:
      return type === 'lpm_trie' ? 'the prefix is longer than the key' : 'the kernel does not take it';
  }
}
