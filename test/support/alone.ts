/**
 * A command that sees one bpffs and its own processes only, so that nothing else on the machine makes it
 * work; ids of objects are the whole machine's all the same.
 *
 * Gives the words to start, the first of them the program.
 */
export function alone(bpffs: string, command: readonly string[]): readonly [string, ...string[]] {
  return [...prefix, bpffs, ...command];
}

const prefix = [
  'unshare',
  '--mount',
  '--propagation',
  'private',
  '--pid',
  '--fork',
  '--kill-child',
  '--mount-proc',
  'sh',
  '-c',
  `keep=$1; shift; awk '$9 == "bpf" || $8 == "bpf" || $10 == "bpf" { print $5 }' /proc/self/mountinfo |
   while read -r path; do [ "$path" = "$keep" ] || umount -l "$path"; done; exec "$@"`,
  'sh',
] as const;
