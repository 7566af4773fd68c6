/**
 * Every bound of the system in one place. Each has a test at the limit and one over it;
 * units are in the names, qualifiers last.
 */
export const limits = {
  /** Bytes of one name (NAME_MAX, include/uapi/linux/limits.h). */
  nameBytesMax: 255,
  /** Bytes of a whole path (PATH_MAX less its NUL). */
  pathBytesMax: 4095,
  /** Directories between the root of a bpffs and a name; a walk stops and says so below it. */
  depthMax: 128,
  /** Names one walk of one mount visits. */
  walkNamesMax: 1_000_000,
  pageItemsDefault: 500,
  pageItemsMax: 5000,
  batchOperationsMax: 1000,
  /** Changes that share one critical section and its transactions: some milliseconds. */
  changesAGroupMax: 32,
  /** Changes that wait for their turn of the event loop. */
  changesWaitingMax: 4096,
  bodyBytesMax: 4 * 1024 * 1024,
  /** A request line holds a path whose every byte is percent-encoded. */
  urlBytesMax: 14 * 1024,
  headerBytesMax: 20 * 1024,
  requestTimeoutMs: 30_000,
  connectionTimeoutMs: 60_000,
  handlerTimeoutMs: 60_000,
  headersTimeoutMs: 10_000,
  keepAliveTimeoutMs: 30_000,
  connectionsMax: 2048,
  requestsPerSocketMax: 100_000,
  /** After SIGTERM everything is settled and closed within this time. */
  shutdownMs: 5000,
  labelsMax: 64,
  labelKeyCharsMax: 253,
  labelValueCharsMax: 1024,
  ownerCharsMax: 253,
  idempotencyKeyCharsMax: 255,
  idempotencyKeepMs: 24 * 3600 * 1000,
  idempotencyBodyBytesMax: 1024 * 1024,
  tokensMax: 1000,
  /** Events that are kept, however young: some 800 bytes each. */
  eventsMax: 1_000_000,
  /** Rows one write transaction of clean-up removes, so that readers and writers never wait long. */
  deleteChunkRows: 500,
  /** A state database up to this size is checked whole at each start (2 ms a MiB), a bigger one in part. */
  stateCheckBytesMax: 64 * 1024 * 1024,
  /** How long a write waits for another process that has the state database locked, such as `sqlite3`. */
  stateBusyMs: 1000,
  /** The write-ahead log is brought into the database when it has grown to this. */
  walCheckpointBytes: 16 * 1024 * 1024,
  /** A write-ahead log that a long reader made grow beyond this is cut back to it. */
  walKeepBytesMax: 64 * 1024 * 1024,
  /** How long one slice of observation may keep the event loop. */
  observeSliceMs: 5,
  observeIntervalMs: 1000,
  walkIntervalMs: 10_000,
  inotifyWatchesMax: 100_000,
  /** NDJSON bytes handed to a socket before the stream waits for it to drain. */
  streamChunkBytes: 64 * 1024,
  /** How long streams together may keep the event loop in one round of it. */
  streamSliceMs: 5,
  streamsMax: 64,
  /** Events that a live stream reads from the log at a time, and how often it shows that it is alive. */
  streamEventsMax: 100,
  streamHeartbeatMs: 15_000,
  /** Requests that wait for a pin at one time; a listener's connections leave room beside them. */
  waitersMax: 2000,
  waitMsMax: 300_000,
  waitMsDefault: 30_000,
  /** Streams of map contents at one time; each holds its map. */
  dumpsMax: 8,
  /** Other reads of map contents at one time: pages, single entries, counts. */
  contentReadsMax: 64,
  /** Threads that read map contents; the first is started when it is needed. */
  dumpWorkersMax: 2,
  /** How long a thread without work stays. */
  dumpWorkerIdleMs: 10_000,
  /** Bytes handed from such a thread to the main one at a time, and how many pieces may be on their way. */
  dumpChunkBytes: 256 * 1024,
  dumpChunksAhead: 4,
  /** What one dump may come to before it stops and says so. */
  dumpRowsMax: 100_000_000,
  dumpBytesMax: 64 * 1024 ** 3,
  dumpMs: 3600 * 1000,
  /** A page of entries is cut when its text has grown to this, and a value on the wire is never larger. */
  entryPageBytesMax: 4 * 1024 * 1024,
  entryBytesMax: 16 * 1024 * 1024,
  /** Entries one batch call changes, and how long changes of a map keep the event loop at a time. */
  editBatchEntries: 2048,
  editSliceMs: 3,
  /** What one streamed body of entries may come to, and one line of it. */
  editBytesMax: 16 * 1024 ** 3,
  editLineBytesMax: 4 * 1024 * 1024,
  /** Failed lines of a batch that are told one by one; all are counted. */
  editFailuresMax: 1000,
  /** Batches at one time; each holds its map. */
  editBatchesMax: 8,
  /** Keys remembered to leave out what the kernel gives twice. */
  dumpKeysRememberedMax: 131_072,
  /** Bytes of programs, instructions and machine code, that are in memory at one time for slow readers. */
  programImageBytesMax: 64 * 1024 * 1024,
  /** How long one request may have the kernel measure programs. */
  statisticsMsMax: 30_000,
  /** Copies of the database kept in the state directory; whoever wants more moves some away. */
  backupsMax: 16,
  /** Places of a multi-probe link, maps and functions of a program that a document lists. */
  objectListMax: 4096,
  /** Bytes of one part of a stored specification: BTF, or the instructions of a program. */
  specificationPartBytesMax: 4 * 1024 * 1024,
  /** All such bytes in the database together; what came after that is stored without them. */
  specificationBytesMax: 256 * 1024 * 1024,
  /** Specifications that one transaction stores. */
  specificationChunkRows: 100,
  /** Slots of prog_arrays, maps of maps and their like that one reading of holders looks at. */
  holderSlotsMax: 16_384,
  /** Network namespaces, devices in all of them and control groups that it asks what is attached. */
  holderNamespacesMax: 1024,
  holderDevicesMax: 8192,
  holderCgroupsMax: 10_000,
  /** Nodes of a graph of holders; what is past them is counted, not shown. */
  holderNodesMax: 10_000,
  /** Pins for which an answer says what their removal would cost. */
  consequencesMax: 64,
  /** For so long one reading of all holders answers several requests. */
  holderReadingMs: 1000,
  /** Findings of one rule that are kept; how many more there are is told with the rule. */
  findingsPerRuleMax: 1000,
  /** How often rules are tried, at most and at least; those about holders at a tenth of that, if need be. */
  findingsIntervalMs: 10_000,
  findingsIntervalMaxMs: 60_000,
  /** BTF beyond this size is not looked into for rules. */
  findingBtfBytesMax: 4 * 1024 * 1024,
  /** Selected pins are sampled while somebody has asked for them within this time. */
  pinSamplesKeptMs: 300_000,
  /** Series of selected pins in one scrape, unless told, and at most. */
  pinSeriesDefault: 1400,
  pinSeriesMax: 50_000,
} as const;
