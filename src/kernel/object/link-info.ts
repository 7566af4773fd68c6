import type { LinkInfo } from '../../model/schema/link-info.ts';
import { objectInfo } from '../bpf/objects.ts';
import { Struct } from '../bpf/struct.ts';
import type { Fd } from '../sys/fd.ts';
import { type FdInfo, readFdInfo } from './fdinfo.ts';
import { Fields, nonZero, present } from './fields.ts';
import { linkDetail } from './link-detail.ts';
import { type LinkTexts, readLinkTexts } from './link-texts.ts';
import { typeName } from './names.ts';

/** The common head of struct bpf_link_info, include/uapi/linux/bpf.h; the rest is a union by type. */
const at = { size: 64, type: 0, id: 4, progId: 8 } as const;

/** All the kernel tells of an open link: first the fixed part, then the texts and lists its type has. */
export function readLinkInfo(fd: Fd): LinkInfo {
  const first = objectInfo(fd, new Struct(at.size));
  const texts = readLinkTexts(fd, first);
  return parseLinkInfo(first, texts, readFdInfo(fd));
}

/**
 * A link's document from the bytes of struct bpf_link_info, the texts its pointers were for, and its fdinfo.
 */
export function parseLinkInfo(bytes: Buffer, texts: LinkTexts, fdInfo: FdInfo): LinkInfo {
  const fields = new Fields(bytes);
  const type = typeName('link', fields.u32(at.type) ?? 0);
  return present({
    kind: 'link' as const,
    id: fields.u32(at.id) ?? 0,
    type,
    prog_id: nonZero(fields.u32(at.progId)),
    prog_tag: fdInfo.get('prog_tag'),
    ...linkDetail(type, fields, texts),
  });
}
