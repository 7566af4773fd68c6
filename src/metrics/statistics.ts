/** The numbers the collectors read; the agent has them at hand. */
export interface Numbers {
  objectCounts(): readonly { readonly kind: string; readonly type: string; readonly count: number }[];
  pinCounts(): readonly { readonly mount: string; readonly kind: string; readonly count: number }[];
  referenceCounts(): readonly { readonly kind: string; readonly counter: string; readonly count: number }[];
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
