/** How far BTF may go. It comes from whoever loaded a program, so nothing in it is believed. */
export const btfLimits = {
  /** Types wrapped in each other: typedefs, arrays, structures. The kernel's own limit is 32 too. */
  depthMax: 32,
  /** Bytes of a member's name (KSYM_NAME_LEN, by btf_name_valid_identifier of kernel/bpf/btf.c). */
  nameBytesMax: 511,
  /** Bytes of any text, tags included, which the kernel does not limit. */
  stringBytesMax: 4095,
  /** The largest value of a map, and the largest size BTF can state. */
  sizeMax: 0xffff_ffff,
  /** Values a decoder may visit: so many for each byte of the value, and so many in any case. */
  valuesPerByte: 64,
  valuesAtLeast: 4096,
  /** What printing may take for each word of the BTF. */
  stepsPerWord: 8,
  /** Bytes of all views of one union together: what encoding it may touch. */
  unionBytesMax: 64 * 1024 * 1024,
} as const;
