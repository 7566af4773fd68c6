import type { HeldObject } from '../../kernel/kernel.ts';
import { type ErrorDetails, isPinfoldError, PinfoldError } from '../../model/error.ts';
import { escapeBytes, type PinPath } from '../../model/path.ts';
import type { Expectation, Source } from '../../model/schema/request.ts';
import type { OperationEnvironment } from './environment.ts';
import { type Holds, pinnedObjectOf } from './holds.ts';
import { holdObjectAt } from './pin-state.ts';
import { requestedPath } from './requested-path.ts';
import type { PinnedObject } from './sink.ts';
import type { Site } from './site.ts';
import type { View } from './view.ts';

/** An object that a pin is to be made of, held until the operation ends. */
export interface HeldSource {
  readonly held: HeldObject;
  readonly object: PinnedObject;
}

/** Where sources are looked for. */
export interface SourceContext {
  readonly environment: OperationEnvironment;
  readonly site: Site;
  readonly view: View;
  readonly holds: Holds;
}

/**
 * Holds the object a request names, and compares it with what the caller expects it to be: once it is held,
 * it can no longer become another.
 *
 * @throws PinfoldError source_not_found, source_mismatch, not_pinnable, permission_denied, mount_not_found,
 * not_supported
 */
export function holdSource(context: SourceContext, source: Source): HeldSource {
  const held = find(context, source);
  const object = pinnedObjectOf(held);
  if (source.expect !== undefined) assertExpected(held, source.expect);
  return { held, object };
}

function find(context: SourceContext, source: Source): HeldObject {
  if ('id' in source) return holdById(context, source);
  if ('pid' in source) return holdFromProcess(context, source);
  return holdFromPin(context, requestedPath(source, 'pin', '/body/source'), source.mount);
}

function holdById(context: SourceContext, source: Extract<Source, { readonly id: number }>): HeldObject {
  const { environment, holds } = context;
  if (!environment.usesIds) {
    const detail =
      'This agent runs with --pins-only and never uses ids. Name a pin or a process’s descriptor instead.';
    throw new PinfoldError('not_supported', { detail, kind: source.kind, id: source.id });
  }
  const known = holds.find(source.kind, source.id);
  if (known !== undefined) return known;
  return naming(`${source.kind} ${source.id}`, () =>
    holds.add(environment.kernel.objects.holdById(source.kind, source.id)),
  );
}

function holdFromProcess(
  context: SourceContext,
  source: Extract<Source, { readonly pid: number }>,
): HeldObject {
  const { pid, fd, start_time: startTime } = source;
  const { objects } = context.environment.kernel;
  return context.holds.add(
    objects.holdFromProcess({ pid, fd, ...(startTime === undefined ? {} : { startTime }) }),
  );
}

function holdFromPin(context: SourceContext, path: PinPath, mount: string | undefined): HeldObject {
  const { environment, site, view, holds } = context;
  return naming(`pin "${escapeBytes(path)}"`, () => {
    if (mount === undefined || mount === site.mount) {
      const { held } = view.get(path);
      if (held !== undefined) return held;
    }
    using root = environment.kernel.bpffs.openRoot(environment.mounts.findMount(mount));
    return holds.add(holdObjectAt(environment.kernel, root, path));
  });
}

function naming(what: string, hold: () => HeldObject): HeldObject {
  return asSource({ detail: `There is no ${what} to pin.` }, hold);
}

/**
 * Holds what a request takes something from: where that is missing, it is the source, not what the request is
 * about.
 *
 * @param details - what is said besides
 * @throws PinfoldError source_not_found, and all other that `hold` throws
 */
export function asSource(details: ErrorDetails, hold: () => HeldObject): HeldObject {
  try {
    return hold();
  } catch (error) {
    const isMissing =
      isPinfoldError(error, 'object_not_found') ||
      isPinfoldError(error, 'pin_not_found') ||
      isPinfoldError(error, 'parent_not_found');
    if (!isMissing) throw error;
    throw new PinfoldError('source_not_found', { ...error.details, ...details }, error);
  }
}

/** @throws PinfoldError source_mismatch where what is held is not what the caller expects */
export function assertExpected(held: HeldObject, expected: Expectation): void {
  const actual = actualOf(held);
  const differing = Object.entries(expected).filter(([member, value]) => actual[member] !== value);
  if (differing.length === 0) return;
  const sentences = differing.map(
    ([member, value]) => `its ${member} is ${actual[member] ?? 'absent'}, not ${value}`,
  );
  throw new PinfoldError('source_mismatch', {
    detail: `The source is not the expected object: ${sentences.join(', ')}.`,
    kind: held.kind,
    id: held.id,
    expected,
    actual,
  });
}

function actualOf(held: HeldObject): Readonly<Record<string, string | undefined>> {
  const { info, kind, fingerprint } = held;
  return {
    kind,
    fingerprint,
    type: 'type' in info ? info.type : undefined,
    name: 'name' in info ? info.name : undefined,
    tag: info.kind === 'program' ? info.tag : undefined,
  };
}
