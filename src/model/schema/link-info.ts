import { type Static, Type } from 'typebox';

/** Everything the kernel tells of a link (struct bpf_link_info and fdinfo); which members there are depends on the type. */
export const LinkInfo = Type.Object({
  kind: Type.Literal('link'),
  id: Type.Integer(),
  type: Type.String(),
  prog_id: Type.Optional(Type.Integer()),
});
export type LinkInfo = Static<typeof LinkInfo>;
