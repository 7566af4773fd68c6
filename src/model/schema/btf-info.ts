import { type Static, Type } from 'typebox';

/** Everything the kernel tells of a BTF object (struct bpf_btf_info). */
export const BtfInfo = Type.Object({
  kind: Type.Literal('btf'),
  id: Type.Integer(),
  type: Type.String({ description: '`vmlinux`, `module` or `user`' }),
  name: Type.String(),
});
export type BtfInfo = Static<typeof BtfInfo>;
