import { type Static, Type } from 'typebox';

const number = (description: string) => Type.Optional(Type.Integer({ description }));
const text = (description: string) => Type.Optional(Type.String({ description }));
const numbers = (description: string) => Type.Optional(Type.Array(Type.String(), { description }));

/**
 * Everything the kernel tells of a link (struct bpf_link_info and fdinfo); which members there are depends on
 * the type.
 */
export const LinkInfo = Type.Object({
  kind: Type.Literal('link'),
  id: Type.Integer({ description: 'the kernel’s id; ids are reused' }),
  type: Type.String({ description: 'as bpftool names it; `type_<N>` for one this build does not know' }),
  prog_id: number('program that runs; absent for struct_ops'),
  prog_tag: text('that program’s tag'),
  is_attached: Type.Optional(
    Type.Boolean({ description: 'false where the target is gone; absent where the kernel does not tell' }),
  ),
  attach_type: text('where in the target it is attached, such as cgroup_inet_egress or tcx_ingress'),
  tp_name: text('raw_tracepoint, perf_event: the tracepoint'),
  cookie: text('number that the program can ask for, decimal'),
  target_obj_id: number('tracing: program or BTF object it is attached to'),
  target_btf_id: number('tracing: function in that BTF'),
  cgroup_id: text('cgroup, iter: the cgroup’s id, decimal'),
  target_name: text('iter: what is iterated over'),
  map_id: number('iter, struct_ops, sockmap: the map'),
  order: text('iter over cgroups: in which order'),
  tid: number('iter over tasks: only this thread'),
  pid: number('iter over tasks, uprobe_multi: only this process'),
  netns_ino: number('netns: inode of the network namespace'),
  ifindex: number('xdp, tcx, netkit: the network device, in a network namespace the kernel does not tell'),
  pf: number('netfilter: protocol family'),
  hooknum: number('netfilter: hook'),
  priority: number('netfilter: place among the hook’s programs'),
  flags: number('netfilter, kprobe_multi, uprobe_multi: flags as the kernel’s number'),
  perf_type: text('perf_event: uprobe, uretprobe, kprobe, kretprobe, tracepoint or event'),
  file_name: text('perf_event: the probed file'),
  func_name: text('perf_event: the probed kernel function'),
  offset: number('perf_event: bytes from the start of the file or function'),
  addr: text('perf_event: address of the probe, hexadecimal'),
  ref_ctr_offset: text('perf_event: where in the file the probe’s reference counter is, decimal'),
  event_type: number('perf_event: type of the event (perf_event_attr.type)'),
  event_config: text('perf_event: configuration of the event (perf_event_attr.config), decimal'),
  missed: number('kprobe_multi, perf_event: how often the probe was not run because it already was'),
  count: number('kprobe_multi, uprobe_multi: how many places are probed'),
  path: text('uprobe_multi: the probed file'),
  addrs: numbers('kprobe_multi: probed addresses, hexadecimal; absent where there are too many'),
  offsets: numbers('uprobe_multi: probed places in the file, decimal; absent where there are too many'),
  ref_ctr_offsets: numbers('uprobe_multi: where in the file the reference counters are, decimal'),
  cookies: numbers('kprobe_multi, uprobe_multi: cookie of each place, decimal'),
});
export type LinkInfo = Static<typeof LinkInfo>;
