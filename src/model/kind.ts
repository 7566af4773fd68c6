/** The kinds of objects the kernel gives ids to. A pin holds one of the first three; BTF cannot be pinned. */
export const objectKinds = ['map', 'program', 'link', 'btf'] as const;

/** `map`, `program`, `link` or `btf`: the same words in routes, columns, metrics and docs. */
export type ObjectKind = (typeof objectKinds)[number];

/** The kinds that `BPF_OBJ_PIN` accepts (kernel/bpf/inode.c, bpf_any_get). */
export const pinnableKinds = ['map', 'program', 'link'] as const;

/** `map`, `program` or `link`. */
export type PinnableKind = (typeof pinnableKinds)[number];

/** Tells whether a text names an object kind. */
export function isObjectKind(text: string): text is ObjectKind {
  return objectKinds.some((kind) => kind === text);
}
