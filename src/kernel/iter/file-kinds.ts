import { createIterator, createLink, loadBtf, loadProgram } from '../bpf/create.ts';
import { smallestBtf } from '../btf/smallest.ts';
import type { Calls } from '../sys/calls.ts';
import { check } from '../sys/calls.ts';
import { isSystemCallError } from '../sys/errno.ts';
import type { Fd, FdTable } from '../sys/fd.ts';
import { raw } from '../sys/prototypes.ts';
import type { HeldFileLayout } from './file-layout.ts';
import { type FileKind, learningProgram, learningRecord } from './file-program.ts';
import { iteratorAttachType, iteratorProgramType, readIterator } from './iterator.ts';

/** The address that `f_op` has for each kind of file; that of a kind that is absent is not known. */
export type FileOperations = ReadonlyMap<FileKind, bigint>;

/** AF_UNIX, SOCK_DGRAM and SOCK_CLOEXEC of include/linux/socket.h and net.h. */
const socketArguments = [1, 2 | 0o2000000, 0] as const;

/** struct perf_event_attr of its first version, type PERF_TYPE_SOFTWARE, PERF_COUNT_SW_DUMMY (Linux 3.12). */
const perfAttribute = { size: 64, typeAt: 0, sizeAt: 4, configAt: 8, software: 1, dummy: 9 } as const;
const PERF_FLAG_FD_CLOEXEC = 8;

/**
 * Learns by which `f_op` the kernel knows each kind of file: files of every kind are opened, and an iterator
 * over our own files tells what they have.
 *
 * Links that can be polled (struct_ops, since Linux 6.11) cannot be made without registering something; they
 * are learned from others' (`HeldFiles`).
 * @throws SystemCallError where an iterator may not be loaded
 */
export function learnFileOperations(layout: HeldFileLayout, map: Fd, calls: Calls): FileOperations {
  const { fds } = calls;
  const program = {
    type: iteratorProgramType,
    name: 'pinfold_learn',
    instructions: learningProgram(layout),
    expectedAttachType: iteratorAttachType,
    attachBtfId: layout.functionId,
  };
  using loaded = loadProgram(program, calls);
  using link = linkToOurFiles(loaded, fds);
  using run = createIterator(link, calls);
  using btf = loadBtf(smallestBtf, { fds });
  using socket = fds.adopt(check('socket', raw.socket(...socketArguments)), 'socket');
  using perfEvent = openPerfEvent(calls);
  const ours: readonly (readonly [FileKind, Fd | undefined])[] = [
    ['map', map],
    ['program', loaded],
    ['link', link],
    ['iterator', run],
    ['btf', btf],
    ['socket', socket],
    ['perf_event', perfEvent],
  ];
  const operations = operationsByFd(readIterator(calls, run));
  return new Map(
    ours.flatMap(([kind, fd]) => {
      const value = fd === undefined ? undefined : operations.get(fd.number);
      return value === undefined ? [] : [[kind, value] as const];
    }),
  );
}

/** Before Linux 6.1 an iterator goes over the files of all processes, and refuses to be told of one. */
function linkToOurFiles(program: Fd, fds: FdTable): Fd {
  try {
    return createLink(program, { attachType: iteratorAttachType, tid: process.pid }, { fds });
  } catch (error) {
    if (!isSystemCallError(error, 'E2BIG', 'EINVAL')) throw error;
    return createLink(program, { attachType: iteratorAttachType }, { fds });
  }
}

function operationsByFd(records: Buffer): ReadonlyMap<number, bigint> {
  const found = new Map<number, bigint>();
  for (let at = 0; at < records.length; at += learningRecord.size) {
    if (records.readUInt32LE(at + learningRecord.tgid) !== process.pid) continue;
    const operations = records.readBigUInt64LE(at + learningRecord.operations);
    found.set(records.readUInt32LE(at + learningRecord.fd), operations);
  }
  return found;
}

/** An event that never happens; undefined where perf events may not be opened or are not there at all. */
function openPerfEvent(calls: Calls): Fd | undefined {
  const attribute = Buffer.alloc(perfAttribute.size);
  attribute.writeUInt32LE(perfAttribute.software, perfAttribute.typeAt);
  attribute.writeUInt32LE(perfAttribute.size, perfAttribute.sizeAt);
  attribute.writeUInt32LE(perfAttribute.dummy, perfAttribute.configAt);
  try {
    const number = raw.perf_event_open(attribute, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
    return calls.fds.adopt(check('perf_event_open', number), 'perf event');
  } catch (error) {
    if (isSystemCallError(error)) return undefined;
    throw error;
  }
}
