import type { Btf } from '../btf.ts';
import type { Codec } from './codec.ts';
import { isObject, Misfit, shown } from './misfit.ts';

/** Structures whose bytes the kernel shows as zeros and never takes from user space (btf_get_field_type). */
const structures = new Set([
  'bpf_spin_lock',
  'bpf_res_spin_lock',
  'bpf_timer',
  'bpf_wq',
  'bpf_task_work',
  'bpf_list_head',
  'bpf_list_node',
  'bpf_rb_root',
  'bpf_rb_node',
  'bpf_refcount',
]);

/** What makes a pointer a reference the kernel counts, by its type tag; `kptr_ref` is the name before 6.4. */
const pointers = new Map([
  ['kptr', 'kptr'],
  ['kptr_ref', 'kptr'],
  ['kptr_untrusted', 'kptr_untrusted'],
  ['percpu_kptr', 'percpu_kptr'],
  ['uptr', 'uptr'],
]);

/** What kind of field the kernel keeps to itself this (resolved) type is; undefined for all others. */
export function kernelOwned(btf: Btf, id: number): string | undefined {
  const kind = btf.kindOf(id);
  if (kind === 'struct') {
    const name = btf.nameOf(id);
    return structures.has(name) ? name : undefined;
  }
  if (kind !== 'ptr') return undefined;
  const tag = btf.word(id, 2);
  return btf.kindOf(tag) === 'type_tag' ? pointers.get(btf.nameOf(tag)) : undefined;
}

/**
 * A field the kernel keeps to itself: `{"__kernel":"bpf_spin_lock"}`. Its bytes carry nothing: they are zero
 * when a value is read and skipped when one is written. An encoder takes the mark, or does without.
 */
export function kernelOwnedCodec(what: string, size: number): Codec {
  const value = Object.freeze({ __kernel: what });
  const text = Buffer.from(JSON.stringify(value));
  return {
    size,
    work: 1,
    isKernelOwned: true,
    decode: () => value,
    write: (_bytes, _at, into) => into.raw(text),
    emit: (json) => json.literal(text.toString()),
    encode: (given) => {
      if (!isObject(given) || given['__kernel'] !== what || Object.keys(given).length !== 1) {
        throw new Misfit(`${shown(given)} is not ${text.toString()}`);
      }
    },
    mark: () => undefined,
  };
}
