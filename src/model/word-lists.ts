/**
 * Lists of words that the schemas and the command line both know. They stand apart from the schemas so that a
 * command starts without TypeBox, whose several hundred modules take longer to load than all others together.
 */

/** The rules whose findings say that nobody needs a pin. */
export const gcRules = ['orphan_pin', 'dead_link'] as const;
/** One of `gcRules`. */
export type GcRule = (typeof gcRules)[number];

/** From good to know to somebody must act. */
export const severities = ['info', 'warning', 'critical'] as const;
/** How much a finding matters. */
export type Severity = (typeof severities)[number];

/** Every rule there is; `docs/findings.md` says what each looks for. */
export const ruleIds = [
  'orphan_pin',
  'dead_link',
  'hidden_holder',
  'link_single_pin',
  'prog_array_single_user',
  'program_outdated',
  'ringbuf_one_sided',
  'map_near_full',
  'program_duplicated',
  'memory_budget',
  'bpffs_writable',
  'bpffs_shadowed',
  'map_not_frozen',
  'single_process',
  'orphan_circle',
] as const;
/** One of `ruleIds`. */
export type RuleId = (typeof ruleIds)[number];

/** What maps are ordered by. */
export const mapOrders = ['memory', 'fill'] as const;
/** One of them. */
export type MapOrder = (typeof mapOrders)[number];

/** What a caller can wait for at a path. */
export const waitConditions = ['exists', 'absent', 'changed', 'attached'] as const;
/** One of `waitConditions`. */
export type WaitCondition = (typeof waitConditions)[number];

/** How entries are written: by their BTF, as plain hexadecimal digits, or as bpftool prints them. */
export const entryFormats = ['typed', 'raw', 'bpftool'] as const;
/** One of them. */
export type EntryFormat = (typeof entryFormats)[number];

/** What a key or value without BTF can be said to be. */
export const views = [
  'u8',
  'u16',
  'u32',
  'u64',
  's8',
  's16',
  's32',
  's64',
  'be16',
  'be32',
  'be64',
  'ipv4',
  'ipv6',
  'mac',
  'utf8',
  'hex',
  'base64',
] as const;
/** One of them. */
export type View = (typeof views)[number];

/** Which of two ways to write an entry is meant; `any` does not care whether it is there. */
export const editModes = ['any', 'create', 'update'] as const;
