import { type Static, Type } from 'typebox';

/** Everything the kernel tells of a program (struct bpf_prog_info and fdinfo); members this kernel does not give are absent. */
export const ProgramInfo = Type.Object({
  kind: Type.Literal('program'),
  id: Type.Integer(),
  type: Type.String(),
  name: Type.String(),
  tag: Type.String(),
});
export type ProgramInfo = Static<typeof ProgramInfo>;
