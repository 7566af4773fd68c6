/** A name and what is below it. `label` is printable. */
export interface Branch {
  readonly label: string;
  readonly children: readonly Branch[];
}

const strokes = {
  boxes: { tee: '├── ', corner: '└── ', bar: '│   ', space: '    ' },
  ascii: { tee: '|-- ', corner: '`-- ', bar: '|   ', space: '    ' },
} as const;

/** Lines of a tree; with box drawing characters for terminals, in ASCII for everything else. */
export function* treeLines(root: Branch, style: keyof typeof strokes): Generator<string, void, undefined> {
  yield root.label;
  yield* childLines(root.children, strokes[style], '');
}

function* childLines(
  children: readonly Branch[],
  stroke: (typeof strokes)[keyof typeof strokes],
  indent: string,
): Generator<string, void, undefined> {
  for (const [at, child] of children.entries()) {
    const isLast = at === children.length - 1;
    yield `${indent}${isLast ? stroke.corner : stroke.tee}${child.label}`;
    yield* childLines(child.children, stroke, indent + (isLast ? stroke.space : stroke.bar));
  }
}
