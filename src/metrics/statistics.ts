/** The numbers the collectors read; the agent has them at hand. */
export interface Numbers {
  objectCounts(): readonly { readonly kind: string; readonly type: string; readonly count: number }[];
  memoryCounts(): readonly { readonly kind: string; readonly type: string; readonly bytes: number }[];
  pinCounts(): readonly { readonly mount: string; readonly kind: string; readonly count: number }[];
  referenceCounts(): readonly { readonly kind: string; readonly holder: string; readonly count: number }[];
  unexplainedCounts(): readonly { readonly kind: string; readonly count: number }[];
  findingCounts(): readonly { readonly rule: string; readonly severity: string; readonly count: number }[];
  /** Those whose series fit, and how many of the others' did not. */
  selectedPins(seriesMax: number): {
    readonly samples: readonly SelectedPin[];
    readonly selected: number;
    readonly seriesDropped: number;
  };
  observation(): {
    readonly ageSeconds: number;
    readonly passes: readonly { readonly pass: string; readonly count: number; readonly seconds: number }[];
  };
  onOperation(
    listener: (operation: {
      readonly kind: string;
      readonly outcome: string;
      readonly code: string;
      readonly seconds: number;
    }) => void,
  ): void;
  openFds(): number;
}

/** A pin that has series of its own; what is not known is absent. */
export interface SelectedPin {
  readonly mount: string;
  /** Byte string. */
  readonly path: string;
  readonly kind: string;
  readonly type: string;
  readonly name: string;
  readonly owner: string;
  readonly references: readonly { readonly holder: string; readonly count: number }[];
  readonly entries?: number;
  readonly maxEntries?: number;
  readonly runs?: number;
  readonly runSeconds?: number;
  readonly recursionMisses?: number;
}
