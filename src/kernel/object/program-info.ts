import { limits } from '../../model/limits.ts';
import type { ProgramInfo } from '../../model/schema/program-info.ts';
import { objectInfo } from '../bpf/objects.ts';
import { Struct } from '../bpf/struct.ts';
import type { Fd } from '../sys/fd.ts';
import { type FdInfo, fdInfoFlag, fdInfoNumber, readFdInfo } from './fdinfo.ts';
import { Fields, nonZero, nonZeroText, present } from './fields.ts';
import { typeName } from './names.ts';

/** struct bpf_prog_info, include/uapi/linux/bpf.h. */
const at = {
  size: 232,
  type: 0,
  id: 4,
  tag: 8,
  jitedProgLen: 16,
  xlatedProgLen: 20,
  loadTime: 40,
  createdByUid: 48,
  nrMapIds: 52,
  mapIds: 56,
  name: 64,
  ifindex: 80,
  gplCompatible: 84,
  netnsDev: 88,
  netnsIno: 96,
  nrJitedKsyms: 104,
  nrJitedFuncLens: 108,
  jitedFuncLens: 120,
  btfId: 128,
  funcInfoRecSize: 132,
  nrFuncInfo: 144,
  nrLineInfo: 148,
  nrJitedLineInfo: 168,
  lineInfoRecSize: 172,
  jitedLineInfoRecSize: 176,
  nrProgTags: 180,
  progTags: 184,
  runTimeNs: 192,
  runCnt: 200,
  recursionMisses: 208,
  verifiedInsns: 216,
  attachBtfObjId: 220,
  attachBtfId: 224,
} as const;

const NAME_LENGTH = 16;
/** BPF_TAG_SIZE. */
const TAG_LENGTH = 8;

/** The lists that belong to a program, which the kernel copies into buffers of ours. */
export interface ProgramLists {
  readonly mapIds: readonly number[];
  readonly jitedFuncLens: readonly number[];
  readonly progTags: readonly string[];
}

/** When this machine booted, so that nanoseconds after boot become a time of day. */
export type BootTime = { readonly epochMs: number };

/**
 * All the kernel tells of an open program: first the counts of its lists, then the lists.
 *
 * Instructions, source lines and kernel addresses are not asked for. A program never changes its lists,
 * except that BPF_PROG_BIND_MAP adds a map; the kernel then fills what fits and says how many there are.
 */
export function readProgramInfo(fd: Fd, boot: BootTime): ProgramInfo {
  const counts = new Fields(objectInfo(fd, new Struct(at.size)));
  const length = (offset: number): number => Math.min(counts.u32(offset) ?? 0, limits.objectListMax);
  const mapIds = Buffer.alloc(4 * length(at.nrMapIds));
  const funcLens = Buffer.alloc(4 * length(at.nrJitedFuncLens));
  const tags = Buffer.alloc(TAG_LENGTH * length(at.nrProgTags));
  const request = new Struct(at.size);
  if (mapIds.length > 0) request.u32(at.nrMapIds, mapIds.length / 4).pointer(at.mapIds, mapIds);
  if (funcLens.length > 0)
    request.u32(at.nrJitedFuncLens, funcLens.length / 4).pointer(at.jitedFuncLens, funcLens);
  if (tags.length > 0) request.u32(at.nrProgTags, tags.length / TAG_LENGTH).pointer(at.progTags, tags);
  const bytes = objectInfo(fd, request);
  return parseProgramInfo(
    bytes,
    { mapIds: words(mapIds), jitedFuncLens: words(funcLens), progTags: digests(tags) },
    {
      fdInfo: readFdInfo(fd),
      boot,
    },
  );
}

/** A program's document from the bytes of struct bpf_prog_info, its lists, and its fdinfo. */
export function parseProgramInfo(
  bytes: Buffer,
  lists: ProgramLists,
  { fdInfo, boot }: { readonly fdInfo: FdInfo; readonly boot: BootTime },
): ProgramInfo {
  const fields = new Fields(bytes);
  const loadTime = fields.u64(at.loadTime);
  return present({
    kind: 'program' as const,
    id: fields.u32(at.id) ?? 0,
    type: typeName('program', fields.u32(at.type) ?? 0),
    name: fields.text(at.name, NAME_LENGTH),
    tag: fields.hex(at.tag, TAG_LENGTH),
    load_time: loadTime?.toString(),
    loaded_at: loadTime === undefined ? undefined : timeOf(loadTime, boot),
    created_by_uid: fields.u32(at.createdByUid),
    gpl_compatible: flagOf(fields.u32(at.gplCompatible)),
    map_ids: fields.u32(at.nrMapIds) === undefined ? undefined : [...lists.mapIds],
    ...targets(fields),
    ...sizes(fields, lists),
    run_time_ns: fields.count(at.runTimeNs),
    run_cnt: fields.count(at.runCnt),
    recursion_misses: fields.count(at.recursionMisses),
    verified_insns: fields.u32(at.verifiedInsns),
    jited: fdInfoFlag(fdInfo, 'prog_jited') ?? (fields.u32(at.jitedProgLen) ?? 0) > 0,
    memlock: fdInfoNumber(fdInfo, 'memlock'),
  });
}

function targets(fields: Fields) {
  return {
    btf_id: nonZero(fields.u32(at.btfId)),
    attach_btf_obj_id: nonZero(fields.u32(at.attachBtfObjId)),
    attach_btf_id: nonZero(fields.u32(at.attachBtfId)),
    ifindex: nonZero(fields.u32(at.ifindex)),
    netns_dev: nonZeroText(fields.decimal(at.netnsDev)),
    netns_ino: nonZero(fields.count(at.netnsIno)),
  };
}

function sizes(fields: Fields, lists: ProgramLists) {
  return {
    xlated_prog_len: nonZero(fields.u32(at.xlatedProgLen)),
    jited_prog_len: nonZero(fields.u32(at.jitedProgLen)),
    jited_func_lens: lists.jitedFuncLens.length === 0 ? undefined : [...lists.jitedFuncLens],
    prog_tags: lists.progTags.length === 0 ? undefined : [...lists.progTags],
    nr_jited_ksyms: fields.u32(at.nrJitedKsyms),
    nr_jited_func_lens: fields.u32(at.nrJitedFuncLens),
    nr_func_info: fields.u32(at.nrFuncInfo),
    nr_line_info: fields.u32(at.nrLineInfo),
    nr_jited_line_info: fields.u32(at.nrJitedLineInfo),
    nr_prog_tags: fields.u32(at.nrProgTags),
    func_info_rec_size: fields.u32(at.funcInfoRecSize),
    line_info_rec_size: fields.u32(at.lineInfoRecSize),
    jited_line_info_rec_size: fields.u32(at.jitedLineInfoRecSize),
  };
}

/** `gpl_compatible` is the lowest bit of its word; the others are not used yet. */
function flagOf(word: number | undefined): boolean | undefined {
  return word === undefined ? undefined : (word & 1) === 1;
}

/** A time of day; undefined where the bytes cannot be one. */
function timeOf(sinceBootNs: bigint, boot: BootTime): string | undefined {
  const date = new Date(boot.epochMs + Number(sinceBootNs / 1000n) / 1000);
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString();
}

function words(bytes: Buffer): number[] {
  return Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readUInt32LE(4 * index));
}

function digests(bytes: Buffer): string[] {
  return Array.from({ length: bytes.length / TAG_LENGTH }, (_, index) =>
    bytes.toString('hex', TAG_LENGTH * index, TAG_LENGTH * (index + 1)),
  );
}
