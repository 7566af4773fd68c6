import { typeName } from '../../kernel/object/names.ts';
import type { ProgramImage } from '../../kernel/program/image.ts';
import type { LinkInfo } from '../../model/schema/link-info.ts';
import type { ProgramInfo } from '../../model/schema/program-info.ts';
import type { NotRecoverable, ProgramSpecification } from '../../model/schema/specification.ts';
import type { Fact, Origin } from './of-map.ts';

/** A map that a program uses, as far as it is known. */
export interface UsedMap {
  readonly id: number;
  readonly type?: string;
  readonly name?: string;
  readonly fingerprint?: string;
}

/** All that a program's specification is made from. */
export interface ProgramFacts {
  readonly info: ProgramInfo;
  readonly image: Fact<Pick<ProgramImage, 'code' | 'functions' | 'lines'>>;
  /** The instructions as they were loaded, where the tag proves them. */
  readonly loaded: Uint8Array | undefined;
  readonly btf: Fact<Uint8Array> | undefined;
  /** Of enum bpf_attach_type. */
  readonly expectedAttachType: Fact<number>;
  readonly attachName: { readonly btf?: string; readonly type?: string };
  readonly maps: readonly UsedMap[];
  readonly links: readonly LinkInfo[];
}

/** Bytes of an instruction. */
const slotBytes = 8;

/** The document of what a program was made with, as far as the kernel has kept it. */
export function programSpecification(facts: ProgramFacts, origin: Origin): ProgramSpecification {
  const { info, btf, expectedAttachType, maps, links } = facts;
  const attachType = 'value' in expectedAttachType ? expectedAttachType.value : 0;
  return {
    name: info.name,
    type: info.type,
    tag: info.tag,
    ...(info.gpl_compatible === undefined ? {} : { gpl_compatible: info.gpl_compatible }),
    ...(attachType === 0 ? {} : { expected_attach_type: typeName('attach', attachType) }),
    ...attachBtf(facts),
    ...codeMembers(facts),
    ...(btf !== undefined && 'value' in btf ? { btf: { blob_base64: base64(btf.value) } } : {}),
    maps: maps.map((map) => ({ ...map, specification: `/v1/maps/${map.id}/spec` })),
    attachments: links.map(({ id, type, attach_type }) => ({
      link_id: id,
      link_type: type,
      ...(attach_type === undefined ? {} : { attach_type }),
    })),
    about: {
      ...origin,
      map_ids: maps.map(({ id }) => id),
      not_recoverable: [...notRecoverable(facts)],
    },
  };
}

function attachBtf({ info, attachName }: ProgramFacts): Pick<ProgramSpecification, 'attach_btf'> {
  const { attach_btf_id: typeId, attach_btf_obj_id: btfId } = info;
  if (typeId === undefined) return {};
  return {
    attach_btf: {
      ...(btfId === undefined ? {} : { btf_id: btfId }),
      ...(attachName.btf === undefined ? {} : { btf_name: attachName.btf }),
      type_id: typeId,
      ...(attachName.type === undefined ? {} : { name: attachName.type }),
    },
  };
}

function codeMembers({
  image,
  loaded,
}: ProgramFacts): Pick<ProgramSpecification, 'instructions' | 'func_info' | 'line_info'> {
  if (!('value' in image)) return {};
  const { code, functions, lines } = image.value;
  return {
    instructions: {
      xlated_base64: base64(code),
      ...(loaded === undefined ? {} : { loaded_base64: base64(loaded) }),
      count: code.length / slotBytes,
    },
    ...(functions.bytes.length === 0 ? {} : { func_info: records(functions) }),
    ...(lines.bytes.length === 0 ? {} : { line_info: records(lines) }),
  };
}

function records({ bytes, size }: ProgramImage['lines']) {
  return { base64: base64(bytes), record_bytes: size, count: bytes.length / size };
}

function* notRecoverable(facts: ProgramFacts): Generator<NotRecoverable> {
  const { image, loaded, btf, expectedAttachType } = facts;
  if ('missing' in image) yield { member: 'instructions', reason: image.missing };
  else if (loaded === undefined) {
    const reason =
      'the verifier has rewritten them and the kernel does not keep what was loaded: ' +
      'a program like this one is loaded from the file it came from';
    yield { member: 'instructions.loaded', reason };
  }
  if (btf !== undefined && 'missing' in btf) yield { member: 'btf', reason: btf.missing };
  if ('missing' in expectedAttachType) {
    yield { member: 'expected_attach_type', reason: expectedAttachType.missing };
  }
  yield { member: 'license', reason: 'the kernel keeps only whether it is compatible with the GPL' };
  yield { member: 'prog_flags', reason: 'the kernel tells nobody which flags it was loaded with' };
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
