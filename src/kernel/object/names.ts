import { mapFlags } from '../../model/map-rule/flags.ts';

/**
 * Names by number, as libbpf and with it bpftool spell them: the kernel's constants in lower case, prefix
 * taken off.
 */
function listOf(names: string): readonly string[] {
  return names.trim().split(/\s+/);
}

/** enum bpf_map_type, include/uapi/linux/bpf.h. */
const mapTypes = listOf(`
  unspec hash array prog_array perf_event_array percpu_hash percpu_array stack_trace cgroup_array lru_hash
  lru_percpu_hash lpm_trie array_of_maps hash_of_maps devmap sockmap cpumap xskmap sockhash cgroup_storage
  reuseport_sockarray percpu_cgroup_storage queue stack sk_storage devmap_hash struct_ops ringbuf
  inode_storage task_storage bloom_filter user_ringbuf cgrp_storage arena insn_array
`);

/** enum bpf_prog_type. */
const programTypes = listOf(`
  unspec socket_filter kprobe sched_cls sched_act tracepoint xdp perf_event cgroup_skb cgroup_sock lwt_in
  lwt_out lwt_xmit sock_ops sk_skb cgroup_device sk_msg raw_tracepoint cgroup_sock_addr lwt_seg6local
  lirc_mode2 sk_reuseport flow_dissector cgroup_sysctl raw_tracepoint_writable cgroup_sockopt tracing
  struct_ops ext lsm sk_lookup syscall netfilter
`);

/** enum bpf_link_type. */
const linkTypes = listOf(`
  unspec raw_tracepoint tracing cgroup iter netns xdp perf_event kprobe_multi struct_ops netfilter tcx
  uprobe_multi netkit sockmap
`);

/** enum bpf_attach_type. */
const attachTypes = listOf(`
  cgroup_inet_ingress cgroup_inet_egress cgroup_inet_sock_create cgroup_sock_ops sk_skb_stream_parser
  sk_skb_stream_verdict cgroup_device sk_msg_verdict cgroup_inet4_bind cgroup_inet6_bind
  cgroup_inet4_connect cgroup_inet6_connect cgroup_inet4_post_bind cgroup_inet6_post_bind
  cgroup_udp4_sendmsg cgroup_udp6_sendmsg lirc_mode2 flow_dissector cgroup_sysctl cgroup_udp4_recvmsg
  cgroup_udp6_recvmsg cgroup_getsockopt cgroup_setsockopt trace_raw_tp trace_fentry trace_fexit
  modify_return lsm_mac trace_iter cgroup_inet4_getpeername cgroup_inet6_getpeername
  cgroup_inet4_getsockname cgroup_inet6_getsockname xdp_devmap cgroup_inet_sock_release xdp_cpumap
  sk_lookup xdp sk_skb_verdict sk_reuseport_select sk_reuseport_select_or_migrate perf_event
  trace_kprobe_multi lsm_cgroup struct_ops netfilter tcx_ingress tcx_egress trace_uprobe_multi
  cgroup_unix_connect cgroup_unix_sendmsg cgroup_unix_recvmsg cgroup_unix_getpeername
  cgroup_unix_getsockname netkit_primary netkit_peer trace_kprobe_session trace_uprobe_session
`);

/** enum bpf_cgroup_iter_order. */
const cgroupOrders = listOf(`
  unspec self_only descendants_pre descendants_post ancestors_up
`);

/** enum bpf_perf_event_type. */
const perfTypes = listOf(`
  unspec uprobe uretprobe kprobe kretprobe tracepoint event
`);

const tables = {
  map: mapTypes,
  program: programTypes,
  link: linkTypes,
  attach: attachTypes,
  order: cgroupOrders,
  perf: perfTypes,
} as const;

/** The name of a type; `type_<N>` for one that is newer than this build. */
export function typeName(of: keyof typeof tables, number: number): string {
  return tables[of][number] ?? `type_${number}`;
}

/** The number of a map type by its name; undefined for a name that is none. */
export function mapTypeNumber(name: string): number | undefined {
  const number = mapTypes.indexOf(name);
  return number > 0 ? number : undefined;
}

/** The number of a type this build knows by name. @throws RangeError for a name it does not know */
export function typeNumber(of: keyof typeof tables, name: string): number {
  const number = tables[of].indexOf(name);
  if (number < 0) throw new RangeError(`${name} is no type of ${of}`);
  return number;
}

/** The numbers of the types that a prefix begins. */
export function typeNumbers(of: keyof typeof tables, prefix: string): readonly number[] {
  return tables[of].flatMap((name, number) => (name.startsWith(prefix) ? [number] : []));
}

/** The names of a map's flags, lowest bit first; `bit_<N>` for one that is newer than this build. */
export function mapFlagNames(flags: number): string[] {
  return Array.from({ length: 32 }, (_, bit) => bit)
    .filter((bit) => (flags >>> bit) & 1)
    .map((bit) => mapFlags[bit] ?? `bit_${bit}`);
}
