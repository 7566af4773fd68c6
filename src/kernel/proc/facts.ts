import { readFileSync, statSync } from 'node:fs';
import { machine, release } from 'node:os';
import type { Feature } from '../../model/schema/node.ts';
import type { KernelFacts } from '../kernel.ts';
import { readBootId } from './boot.ts';

/** Inode of the first pid namespace (PROC_PID_INIT_INO, include/linux/proc_ns.h). */
const INITIAL_PID_NAMESPACE = 0xeffffffc;

/** What stays true while this kernel runs; the features come from whoever has tried them. */
export function readFacts(features: readonly Feature[]): KernelFacts {
  return {
    bootId: readBootId(),
    release: release(),
    machine: machine(),
    cpus: { possible: countCpus('possible'), online: countCpus('online') },
    features,
    seesAllProcesses: statSync('/proc/self/ns/pid').ino === INITIAL_PID_NAMESPACE,
  };
}

function countCpus(which: 'possible' | 'online'): number {
  return parseCpuList(readFileSync(`/sys/devices/system/cpu/${which}`, 'latin1'));
}

/** How many CPUs a list such as `0-3,8` names (Documentation/admin-guide/cputopology.rst). */
export function parseCpuList(text: string): number {
  return text
    .trim()
    .split(',')
    .filter(Boolean)
    .map((range) => range.split('-').map(Number))
    .reduce((count, [first = 0, last = first]) => count + last - first + 1, 0);
}
