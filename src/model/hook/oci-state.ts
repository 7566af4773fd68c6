import type { ContainerState } from '../schema/hook.ts';
import { type PinWish, parseAnnotations } from './pin-wish.ts';

/** What a workload wants, and under which name it is known. */
export interface Workload {
  /** Whose claims they are; the same at its end. */
  readonly owner: string;
  readonly wish: PinWish;
  /** What tells people who that was. */
  readonly labels: Readonly<Record<string, string>>;
  /** By the numbers of its runtime: the process for as long as which it lives. */
  readonly pid?: number;
}

/** The owner that stands for a container. */
export function containerOwner({ id }: Pick<ContainerState, 'id'>): string {
  return `oci:${id}`;
}

/** What a container wants that is about to start. @throws PinfoldError invalid_input, bad_path */
export function parseContainer(state: ContainerState): Workload {
  return {
    owner: containerOwner(state),
    wish: parseAnnotations(state.annotations ?? {}, '/body/annotations'),
    labels: {
      runtime: 'oci',
      container: state.id,
      ...(state.pid === undefined ? {} : { pid: String(state.pid) }),
    },
    ...(state.pid === undefined || state.pid === 0 ? {} : { pid: state.pid }),
  };
}
