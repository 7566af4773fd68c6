import { type Static, Type } from 'typebox';
import { Time } from './common.ts';

const optionalCount = (description: string) => Type.Optional(Type.Integer({ description }));

/**
 * Everything the kernel tells of a program (struct bpf_prog_info and fdinfo); what does not apply or this
 * kernel does not give is absent.
 */
export const ProgramInfo = Type.Object({
  kind: Type.Literal('program'),
  id: Type.Integer({ description: 'the kernel’s id; ids are reused' }),
  type: Type.String({ description: 'as bpftool names it; `type_<N>` for one this build does not know' }),
  name: Type.String({ description: 'cut to 15 bytes by the kernel; empty before Linux 4.15' }),
  tag: Type.String({ description: 'hash of its instructions: 16 hexadecimal digits' }),
  load_time: Type.Optional(Type.String({ description: 'nanoseconds after boot, suspended time included' })),
  loaded_at: Type.Optional(Time),
  created_by_uid: Type.Optional(Type.Integer({ description: 'user who loaded it' })),
  gpl_compatible: Type.Optional(
    Type.Boolean({ description: 'loaded under a licence that gives all helpers' }),
  ),
  map_ids: Type.Optional(Type.Array(Type.Integer(), { description: 'maps it uses and keeps; Linux 4.15' })),
  btf_id: optionalCount('BTF object that came with it; Linux 5.0'),
  attach_btf_obj_id: optionalCount('BTF that names what it attaches to; Linux 6.0'),
  attach_btf_id: optionalCount('type in that BTF it attaches to; Linux 6.0'),
  ifindex: optionalCount('network device it is bound or offloaded to'),
  netns_dev: Type.Optional(Type.String({ description: 'device number of that device’s network namespace' })),
  netns_ino: optionalCount('inode of that device’s network namespace'),
  xlated_prog_len: optionalCount(
    'bytes of its instructions after verification; absent where they may not be seen',
  ),
  jited: Type.Boolean({ description: 'compiled to machine code' }),
  jited_prog_len: optionalCount('bytes of machine code; absent where it may not be seen'),
  jited_func_lens: Type.Optional(
    Type.Array(Type.Integer(), { description: 'bytes of machine code of each function' }),
  ),
  prog_tags: Type.Optional(Type.Array(Type.String(), { description: 'tag of each function; Linux 5.0' })),
  nr_jited_ksyms: optionalCount('how many kernel symbols its machine code has'),
  nr_jited_func_lens: optionalCount('how many functions were compiled'),
  nr_func_info: optionalCount('how many functions have type information'),
  nr_line_info: optionalCount('how many source lines are known'),
  nr_jited_line_info: optionalCount('how many source lines of machine code are known'),
  nr_prog_tags: optionalCount('how many functions have tags'),
  func_info_rec_size: optionalCount('bytes of one record of function information'),
  line_info_rec_size: optionalCount('bytes of one record of line information'),
  jited_line_info_rec_size: optionalCount('bytes of one record of compiled line information'),
  run_time_ns: optionalCount('nanoseconds it ran while statistics were on; Linux 5.1'),
  run_cnt: optionalCount('how often it ran while statistics were on; Linux 5.1'),
  recursion_misses: optionalCount('how often it was not run because it already was; Linux 5.12'),
  verified_insns: optionalCount('instructions the verifier went through; Linux 5.16'),
  memlock: optionalCount('bytes of memory the kernel accounts to it'),
});
export type ProgramInfo = Static<typeof ProgramInfo>;
