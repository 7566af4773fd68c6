/**
 * Flags of a map by bit, as bpftool spells them: enum { BPF_F_NO_PREALLOC … } of include/uapi/linux/bpf.h in
 * lower case, prefix taken off.
 */
export const mapFlags: readonly string[] = [
  ...['no_prealloc', 'no_common_lru', 'numa_node', 'rdonly', 'wronly', 'stack_build_id', 'zero_seed'],
  ...['rdonly_prog', 'wronly_prog', 'clone', 'mmapable', 'preserve_elems', 'inner_map', 'link', 'path_fd'],
  ...['vtype_btf_obj_fd', 'token_fd', 'segv_on_fault', 'no_user_conv'],
];

/** The bit of a map's flag by its name, `bit_<N>` too; undefined for a name that is none. */
export function mapFlagBit(name: string): number | undefined {
  const [, bit] = /^bit_(\d{1,2})$/.exec(name) ?? [];
  const number = bit === undefined ? mapFlags.indexOf(name) : Number(bit);
  return number < 0 || number > 31 ? undefined : (1 << number) >>> 0;
}
