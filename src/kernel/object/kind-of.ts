import type { ObjectKind } from '../../model/kind.ts';
import { nameOfOpen } from '../sys/calls.ts';
import type { Fd } from '../sys/fd.ts';

/**
 * What /proc/self/fd says of a BPF object's descriptor; an iterator's run is `anon_inode:bpf_iter` and no
 * object.
 */
const kinds: Readonly<Record<string, ObjectKind>> = {
  'anon_inode:bpf-map': 'map',
  'anon_inode:bpf-prog': 'program',
  'anon_inode:bpf-link': 'link',
  'anon_inode:bpf_link': 'link',
  'anon_inode:btf': 'btf',
};

/** More than any of them has, so that none that begins like one is taken for it. */
const nameBytesMax = 64;

/**
 * The kind of object a descriptor is on; undefined where it is on none.
 *
 * BPF_OBJ_GET_INFO_BY_FD would not tell: the info structures of all kinds begin alike.
 */
export function kindOf(fd: Fd): ObjectKind | undefined {
  return kinds[nameOfOpen(fd, nameBytesMax)];
}
