import type { JsonText } from '../../btf/codec/json-text.ts';
import type { Write } from './part.ts';

/** `{"cpu":0,"value":…},…]`: the values of all possible CPUs, which are numbered from 0. */
export function writeCpus(
  { value, cpuStride, cpus }: { readonly value: Write; readonly cpuStride: number; readonly cpus: number },
  values: Buffer,
  valueAt: number,
  text: JsonText,
): void {
  for (let cpu = 0; cpu < cpus; cpu++) {
    text.string(`${cpu === 0 ? '' : ','}{"cpu":${cpu},"value":`);
    value(values, valueAt + cpu * cpuStride, text);
    text.byte(0x7d);
  }
  text.byte(0x5d);
}
