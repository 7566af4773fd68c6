import type { Emit } from '../../json-code/json-code.ts';
import { compileLines, type LineCode } from '../../json-code/line-writer.ts';
import type { MapShape } from '../map-shape.ts';

/** How a key and a value, of one CPU or the only one, are written by code. */
export interface EntryEmits {
  readonly key: Emit | undefined;
  readonly value: Emit | undefined;
}

/** Code that writes entries one a line, as `writeEntry` and a line feed do; undefined where there is none. */
export function lineCodeOf(shape: MapShape, { key, value }: EntryEmits): LineCode | undefined {
  if (key === undefined || value === undefined) return undefined;
  const { keySize, wireSize, cpuStride, cpus } = shape;
  const emitValue = cpuStride === undefined ? oneValue(value) : valuesByCpu(value, cpuStride, cpus);
  return compileLines({
    keySize,
    valueSize: wireSize,
    emit: (json, toValue) => {
      json.literal('{"key":');
      key(json, 0);
      toValue();
      emitValue(json, 0);
      json.literal('}');
    },
  });
}

function oneValue(value: Emit): Emit {
  return (json, at) => {
    json.literal(',"value":');
    value(json, at);
  };
}

function valuesByCpu(value: Emit, stride: number, cpus: number): Emit {
  return (json, at) => {
    json.literal(',"values":[');
    json.repeat({ at, stride, length: cpus }, (cpu) => {
      json.literal('{"cpu":');
      json.decimalOf(cpu);
      json.literal(',"value":');
      value(json, 0);
      json.literal('}');
    });
    json.literal(']');
  };
}
