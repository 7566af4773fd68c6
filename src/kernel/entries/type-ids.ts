import type { MapInfo } from '../../model/schema/map-info.ts';

/** Which types describe a map's keys and values, and the BTF they are in. */
export interface TypeIds {
  readonly btf: number | undefined;
  readonly key: number | undefined;
  readonly value: number | undefined;
}

/**
 * The types of a map. The value of a struct_ops map is a type of the kernel, or of a module; its other BTF
 * is not about it; Linux 6.9 says which BTF that is (bpf_map_get_info_by_fd in kernel/bpf/syscall.c).
 */
export function typeIdsOf(info: MapInfo): TypeIds {
  const { btf_vmlinux_value_type_id: kernelType, btf_vmlinux_id: kernelBtf } = info;
  if (kernelType !== undefined && kernelBtf !== undefined) {
    return { btf: kernelBtf, key: undefined, value: kernelType };
  }
  const { btf_id: btf, btf_key_type_id: key, btf_value_type_id: value } = info;
  return { btf, key, value };
}
