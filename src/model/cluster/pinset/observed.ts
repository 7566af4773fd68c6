import type { PinnableKind } from '../../kind.ts';
import type { MapInfo } from '../../schema/map-info.ts';
import type { PinSetStep } from '../../schema/pinset.ts';
import type { MadeIdentity } from './records.ts';

/** A pin as it is now, with what a set can have asked of it. */
export interface ObservedPin {
  readonly identity: MadeIdentity;
  readonly kind: PinnableKind;
  readonly type: string;
  readonly name: string;
  /** Programs: the kernel's hash of their instructions. */
  readonly tag: string | undefined;
  /** Of a map. */
  readonly map: MapInfo | undefined;
  readonly mode: string;
  readonly uid: number;
  readonly gid: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly owner: string | null;
  /** What a change of it sends, so that it changes this very pin. */
  readonly etag: string;
}

/** What a path is now; `blocked` by what is no pin, or cannot be read, with the code of the refusal. */
export type ObservedPath =
  | { readonly is: 'absent' }
  | { readonly is: 'pin'; readonly pin: ObservedPin }
  | { readonly is: 'blocked'; readonly code: string; readonly detail: string };

/** An object a set holds aside. */
export interface AsideObject {
  readonly slot: string;
  readonly kind: PinnableKind;
  readonly id: number;
  readonly fingerprint: string;
}

/** Everything reconciling can do to a path; beside what a person is told, what it does to itself. */
export type PlannedAction = PinSetStep['action'] | 'hold_aside' | 'let_go' | 'forget_made';

/** Whether it is the same object, by what the kernel and its fingerprint say. Links change theirs. */
export function isSameObject(
  one: Pick<MadeIdentity, 'kind' | 'id' | 'fingerprint'>,
  other: Pick<MadeIdentity, 'kind' | 'id' | 'fingerprint'>,
): boolean {
  if (one.kind !== other.kind || one.id !== other.id) return false;
  return one.kind === 'link' || one.fingerprint === other.fingerprint;
}

/** Whether it is the very pin that was made: the same inode with the same object. */
export function isSamePin(one: MadeIdentity, other: MadeIdentity): boolean {
  const isInode = one.instance === other.instance && one.inode === other.inode;
  return isInode && one.pinnedAt === other.pinnedAt && isSameObject(one, other);
}
