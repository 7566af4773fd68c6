/** What of include/uapi/linux/fanotify.h happens to names. */
export const nameMask = {
  ATTRIB: 0x4,
  MOVED_FROM: 0x40,
  MOVED_TO: 0x80,
  CREATE: 0x100,
  DELETE: 0x200,
} as const;

/** The kernel had no room for an event. */
const Q_OVERFLOW = 0x4000;

/** FAN_EVENT_INFO_TYPE_DFID_NAME and FAN_EVENT_INFO_TYPE_PIDFD. */
const infoType = { DFID_NAME: 2, PIDFD: 4 } as const;

/** FILEID_INO64_GEN of include/linux/exportfs.h: inode and generation, and nothing that could be opened. */
const FILEID_INO64_GEN = 0x81;

const metadataBytes = 24;

/** One event as the kernel queues it: whoever did it may have ended since. */
export interface RawNameEvent {
  /** Of `nameMask`; several where one process did several things to one name. */
  readonly mask: number;
  readonly pid: number;
  /** A pidfd of the process, to be closed by whoever parses; negative where the process has ended. */
  readonly pidfd: number;
  /** The directory: `major:minor` and inode. */
  readonly mount: string;
  readonly inode: number;
  /** Byte string. */
  readonly name: string;
}

/**
 * Parses what read(2) of a fanotify descriptor gave: struct fanotify_event_metadata, then struct
 * fanotify_event_info_fid with a struct file_handle and a name, and struct fanotify_event_info_pidfd
 * (include/uapi/linux/fanotify.h). `overflow` where events were dropped.
 */
export function parseNameEvents(bytes: Buffer): readonly (RawNameEvent | 'overflow')[] {
  const events: (RawNameEvent | 'overflow')[] = [];
  for (let at = 0; at + metadataBytes <= bytes.length; ) {
    const length = bytes.readUInt32LE(at);
    const event = parseOne(bytes.subarray(at, at + length));
    if (event !== undefined) events.push(event);
    at += length;
  }
  return events;
}

function parseOne(bytes: Buffer): RawNameEvent | 'overflow' | undefined {
  const mask = bytes.readUInt32LE(8);
  if ((mask & Q_OVERFLOW) !== 0) return 'overflow';
  let place: Pick<RawNameEvent, 'mount' | 'inode' | 'name'> | undefined;
  let pidfd = -1;
  for (let at = bytes.readUInt16LE(6); at + 4 <= bytes.length; at += bytes.readUInt16LE(at + 2)) {
    const info = bytes.subarray(at, at + bytes.readUInt16LE(at + 2));
    if (info[0] === infoType.PIDFD) pidfd = info.readInt32LE(4);
    if (info[0] === infoType.DFID_NAME) place = parsePlace(info);
  }
  return place === undefined ? undefined : { mask, pid: bytes.readInt32LE(20), pidfd, ...place };
}

/** `header[4] fsid[8] handle_bytes handle_type inode[8] generation[4] name NUL`. */
function parsePlace(info: Buffer): Pick<RawNameEvent, 'mount' | 'inode' | 'name'> | undefined {
  if (info.readInt32LE(16) !== FILEID_INO64_GEN) return undefined;
  const nameAt = 20 + info.readUInt32LE(12);
  return {
    mount: mountOf(info.readUInt32LE(4)),
    inode: Number(info.readBigUInt64LE(20)),
    name: info.toString('latin1', nameAt, info.indexOf(0, nameAt)),
  };
}

/** bpffs has its device number for a file system id (fs/libfs.c, simple_statfs; include/linux/kdev_t.h). */
function mountOf(device: number): string {
  return `${(device >>> 8) & 0xfff}:${(device & 0xff) | ((device >>> 12) & 0xfff00)}`;
}
