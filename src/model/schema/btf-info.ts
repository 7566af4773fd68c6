import { type Static, Type } from 'typebox';

/** Everything the kernel tells of a BTF object (struct bpf_btf_info). */
export const BtfInfo = Type.Object({
  kind: Type.Literal('btf'),
  id: Type.Integer({ description: 'the kernel’s id; ids are reused' }),
  type: Type.String({ description: '`vmlinux`, `module` or `user`' }),
  name: Type.String({ description: 'vmlinux or the module; empty for what programs bring along' }),
  btf_size: Type.Integer({ description: 'bytes of type information' }),
  kernel_btf: Type.Optional(Type.Boolean({ description: 'describes the kernel or a module; Linux 5.11' })),
});
export type BtfInfo = Static<typeof BtfInfo>;
