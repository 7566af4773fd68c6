/** One line of /proc/PID/mountinfo (Documentation/filesystems/proc.rst, 3.5), as far as it matters here. */
export interface MountInfo {
  readonly id: number;
  readonly parent: number;
  /** `major:minor` of the superblock. */
  readonly device: string;
  /** What of the file system is mounted: `/`, or the subtree of a bind mount. Byte string. */
  readonly root: string;
  /** Where, seen from the process's root. Byte string. */
  readonly path: string;
  readonly type: string;
  /** This mount or its whole superblock is read-only. */
  readonly readOnly: boolean;
}

/** Parses the text of a mountinfo file, read as latin1; lines it cannot make sense of are left out. */
export function parseMountInfo(text: string): readonly MountInfo[] {
  return text.split('\n').flatMap((line) => parseLine(line) ?? []);
}

/**
 * `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue`: between the options and
 * the lone dash stand any number of further fields. Spaces inside a field are octal escapes, so splitting
 * at spaces is safe.
 */
function parseLine(line: string): MountInfo | undefined {
  const fields = line.split(' ');
  const dash = fields.indexOf('-', 6);
  const [id, parent, device, root, path, options] = fields;
  const type = fields[dash + 1];
  const superOptions = fields[dash + 3];
  if (dash < 0 || root === undefined || path === undefined || type === undefined) return undefined;
  if (id === undefined || parent === undefined || !isNumber(id) || !isNumber(parent)) return undefined;
  if (device === undefined || !/^\d+:\d+$/.test(device)) return undefined;
  return {
    id: Number(id),
    parent: Number(parent),
    device,
    root: unescapeOctal(root),
    path: unescapeOctal(path),
    type: unescapeOctal(type),
    readOnly: isReadOnly(options) || isReadOnly(superOptions),
  };
}

/** Undoes the kernel's mangling of space, tab, newline, backslash and `#` (fs/seq_file.c, mangle_path). */
export function unescapeOctal(field: string): string {
  return field.replace(/\\([0-3][0-7]{2})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}

function isReadOnly(options: string | undefined): boolean {
  return options?.split(',').includes('ro') ?? false;
}

function isNumber(field: string): boolean {
  return /^\d+$/.test(field);
}
