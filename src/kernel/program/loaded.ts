import { createHash } from 'node:crypto';
import { callee, callOpcode, pseudo, readInstruction, slotAfter, slotBytes } from './instruction.ts';

/** BPF_TAG_SIZE, in hexadecimal digits. */
const tagDigits = 16;

/** What tags are the beginning of: SHA-1, since Linux 6.18 SHA-256 (bpf_prog_calc_tag, kernel/bpf/core.c). */
const tagHashes = ['sha256', 'sha1'] as const;

/** Finds the number of a helper (enum bpf_func_id) by how far it is from `__bpf_call_base`. */
export type HelperNumber = (distance: number) => number | undefined;

/**
 * The instructions as they were loaded, so far as undoing what the verifier always does leads back to them:
 * helpers by number, functions of the program's own by distance. 64-bit constants that stand for maps keep
 * the map's id where a descriptor was.
 *
 * Undefined where the tag says that this is not what was loaded: the verifier has rewritten accesses to the
 * context, put code in the place of calls, or left some out, and what stood there is not kept anywhere.
 */
export function loadedInstructions(code: Buffer, tag: string, helper: HelperNumber): Buffer | undefined {
  const loaded = Buffer.from(code);
  const hashed = Buffer.from(code);
  const slots = code.length / slotBytes;
  for (let slot = 0; slot < slots; ) {
    const instruction = readInstruction(code, slot);
    const at = slot * slotBytes;
    if (instruction.opcode === callOpcode && instruction.src === callee.helper) {
      const number = helper(instruction.imm);
      if (number === undefined) return undefined;
      for (const bytes of [loaded, hashed]) bytes.writeInt32LE(number, at + 4);
    }
    if (instruction.opcode === callOpcode && instruction.src === callee.own) {
      for (const bytes of [loaded, hashed]) {
        bytes.writeInt32LE(instruction.off, at + 4);
        bytes.writeInt16LE(0, at + 2);
      }
    }
    if (instruction.wide !== undefined && isMap(instruction.src)) {
      hashed.writeInt32LE(0, at + 4);
      hashed.writeInt32LE(0, at + slotBytes + 4);
    }
    slot = slotAfter(instruction);
  }
  return tagHashes.some((hash) => tagOf(hashed, hash) === tag) ? loaded : undefined;
}

function isMap(source: number): boolean {
  return source === pseudo.mapFd || source === pseudo.mapValue;
}

function tagOf(code: Buffer, hash: (typeof tagHashes)[number]): string {
  return createHash(hash).update(code).digest('hex').slice(0, tagDigits);
}
