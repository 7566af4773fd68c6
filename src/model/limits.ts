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
  /**
   * How long is waited before each of the counts that follow a first one in doubt. A process that opens an
   * object in passing has it for microseconds, unless it loses the processor just then; each pause offers
   * ours. Together some milliseconds, for which nothing else happens in the agent.
   */
  recountPausesMs: [0.25, 0.25, 0.5, 0.5, 0.5, 1, 1, 1],
  /** So many may have one object open in passing at once: of each process one thread, and few look at all. */
  passersByMax: 8,
  /** Changes that wait for their turn of the event loop. */
  changesWaitingMax: 4096,
  bodyBytesMax: 4 * 1024 * 1024,
  /** Arrays and objects in each other, in what is sent: types nest 32 deep, and a few are around a value. */
  jsonDepthMax: 128,
  /** A request line holds a path whose every byte is percent-encoded. */
  urlBytesMax: 14 * 1024,
  headerBytesMax: 20 * 1024,
  requestTimeoutMs: 30_000,
  connectionTimeoutMs: 60_000,
  handlerTimeoutMs: 60_000,
  headersTimeoutMs: 10_000,
  keepAliveTimeoutMs: 30_000,
  /** How often the files of certificates are looked at: a few stat(2). */
  certificatesLookMs: 2000,
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
  /** Answers that a manager by itself, which has no database, remembers for repeated keys. */
  rememberedAnswersMax: 1000,
  rememberedBytesMax: 32 * 1024 * 1024,
  tokensMax: 1000,
  /** Events that are kept, however young: some 800 bytes each. */
  eventsMax: 1_000_000,
  /** Rows one write transaction of clean-up removes, so that readers and writers never wait long. */
  deleteChunkRows: 500,
  /** A state database up to this size is checked whole at each start (2 ms a MiB), a bigger one in part. */
  stateCheckBytesMax: 64 * 1024 * 1024,
  /** How long a write waits for another process that has the state database locked, such as `sqlite3`. */
  stateBusyMs: 1000,
  /** So much of the write-ahead log a thread brings into the database by the way. */
  walHandedOverBytes: 8 * 1024 * 1024,
  /** The write-ahead log is brought into the database at once when it has grown to this. */
  walCheckpointBytes: 16 * 1024 * 1024,
  /** A write-ahead log that a long reader made grow beyond this is cut back to it. */
  walKeepBytesMax: 64 * 1024 * 1024,
  /** How long one slice of observation may keep the event loop. */
  observeSliceMs: 5,
  observeIntervalMs: 1000,
  walkIntervalMs: 10_000,
  inotifyWatchesMax: 100_000,
  /** Foreign changes of names in one instance and one pass, whose writers are remembered. */
  nameEventsMax: 16_384,
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
  /** Pins one workload waits for and claims by its annotations. */
  hookPinsMax: 64,
  /**
   * How long a claim outlives its hook or its container, where the runtime does not say that it has ended: a
   * hook that waits has so much more than it may wait, a container that has ended so long to be told of.
   */
  hookGraceMs: 60_000,
  /** How long the end of a container waits for its process, which may be dying still. */
  hookDyingMs: 2000,
  /** Bytes of an owner's name. */
  claimOwnerBytesMax: 253,
  claimsMax: 10_000,
  /** Paths of one claim: its release is one batch. */
  claimPinsMax: 1000,
  /** Owners, paths and labels of all claims together; they are kept in memory. */
  claimsBytesMax: 16 * 1024 * 1024,
  leaseMsMin: 1000,
  leaseMsMax: 366 * 24 * 3600 * 1000,
  /** Paths in one page of claims: it ends with the claim that reaches this. */
  claimPagePinsMax: 10_000,
  /** Paths of a claim that one event lists; it counts all. */
  claimEventPinsMax: 100,
  /** Renewals that change nothing but a deadline are told in history this often, for each claim. */
  claimRenewalToldMs: 3_600_000,
  /** Streams of map contents at one time; each holds its map. */
  dumpsMax: 8,
  /** A dump whose reader takes nothing for so long makes room where all places are taken. */
  dumpStalledMs: 20_000,
  /** Other reads of map contents at one time: pages, single entries, counts. */
  contentReadsMax: 64,
  /** What the longest entries of all maps being read may take together, estimated; one map may take more. */
  dumpMemoryBytes: 256 * 1024 ** 2,
  /** Threads that read map contents; the first is started when it is needed. */
  dumpWorkersMax: 2,
  /** Hashes with room for so many entries are dumped by two threads, where no other dump runs. */
  dumpSplitEntriesMin: 65_536,
  /** How long a thread without work stays. */
  dumpWorkerIdleMs: 10_000,
  /** How long one that was asked to end may take before it is broken off. */
  dumpWorkerEndMs: 2000,
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
  /** Memory that making a map may take at once, unless the request allows more: 1 GiB. */
  mapMemoryDefault: 1024 ** 3,
  /** Slots of prog_arrays and maps of maps that hold something, and all that one reading looks at. */
  holderSlotsMax: 16_384,
  holderSlotLooksMax: 32_768,
  /** Network namespaces, devices in all of them and control groups that it asks what is attached. */
  holderNamespacesMax: 1024,
  holderDevicesMax: 8192,
  holderCgroupsMax: 10_000,
  /** Different questions about holders that wait for their turn. */
  holderQuestionsMax: 16,
  /** Nodes of a graph of holders; what is past them is counted, not shown. */
  holderNodesMax: 10_000,
  /** The same of edges: one program may be in every slot of a large table. */
  holderEdgesMax: 20_000,
  /** Descriptors, names and paths that one node of it lists. */
  holderMembersMax: 100,
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
  /** Pins that one clean-up takes; what is past them is left to the next. */
  gcPinsMax: 20_000,
  /** Pins that stay although a rule objects to them, which an answer lists. */
  gcPassedMax: 1000,
  /** Pins a second that are moved into quarantine, and out of it for good; unless told, and at most. */
  gcPinsASecondDefault: 200,
  gcPinsASecondMax: 10_000,
  /** Pins that are moved together; nobody else waits longer than they take. */
  gcChunkPins: 32,
  gcPoliciesMax: 32,
  gcEveryMsMin: 60_000,
  /** Selected pins are sampled while somebody has asked for them within this time. */
  pinSamplesKeptMs: 300_000,
  /** Series of selected pins in one scrape, unless told, and at most. */
  pinSeriesDefault: 1000,
  pinSeriesMax: 50_000,
  /** Series of requests by method, route and status, and mounts whose pins are counted by themselves. */
  httpSeriesMax: 300,
  mountSeriesMax: 32,
  /** Characters of the name of a node, a pin set or a manager. */
  clusterNameCharsMax: 253,
  /** Bytes of one value in the cluster store; etcd refuses requests of 1.5 MiB. */
  clusterValueBytesMax: 1024 * 1024,
  /** Conditions, and changes, of one transaction of the cluster store; etcd takes 128 operations. */
  clusterTxnOperationsMax: 64,
  /** For so long one call to the cluster store is waited for. */
  clusterCallMs: 5000,
  /** A manager whose watch is away for so long says that what it knows may be old. */
  clusterPatienceMs: 3000,
  /** Changes that the store of a single machine keeps for watches that come back. */
  clusterHistoryRows: 10_000,
  /** Keys of one prefix that are read: 10,000 nodes with 48 pin sets each. */
  clusterKeysMax: 500_000,
  /** Keys below one node that are read: its member, its digest, and a status for each pin set. */
  clusterKeysOfNodeMax: 1000,
  /** Pins of one pin set, bytes of its JSON (two generations are stored), and of a node's status of it. */
  pinSetPinsMax: 1000,
  pinSetBytesMax: 448 * 1024,
  pinSetStatusBytesMax: 1024,
  /** How often a node looks after its pin sets without being woken. */
  pinSetEveryMs: 30_000,
  /** When it says again what it came to, where the cluster store that it hears did not take it. */
  pinSetSayAgainMs: 2000,
  /** What a map may have for its entries to be copied into another, in all and in one go. */
  copyEntriesMax: 262_144,
  copyBytesMax: 64 * 1024 * 1024,
  copyAtOnceEntries: 65_536,
  /** How long after the exchange it is heard who writes to the maps of a copy, and how often it is looked. */
  copyHeardMs: 250,
  copyHeardEveryMs: 5,
  /** How often changes of an old map are brought over, at first and at least; and when that is drift. */
  copyEveryMs: 200,
  copyEveryMsMax: 5000,
  copyPatienceMs: 10_000,
  /** The manager that leads rollouts says so three times in this; another leads when it has not. */
  leaderLeaseSeconds: 5,
  /** Rollouts are looked at when something changed, and this often. */
  rolloutIntervalMs: 1000,
  selectorCharsMax: 1024,
  /** How long a node may be silent before it counts as lost; it says that it is there three times in that. */
  memberLeaseSeconds: 10,
  /** A node that has been away for so long is gone. */
  nodeGoneMs: 300_000,
  /** Bytes of a node's labels as JSON, and of its digest, in the cluster store. */
  memberLabelsBytesMax: 512,
  digestBytesMax: 1024,
  /** Nodes that one request asks at a time, items of a page it asks them for, and pages read ahead. */
  nodesAtOnce: 32,
  nodePageItems: 1000,
  nodePagesAhead: 8,
  /** How long one node is waited for, unless told and at most, by a request that asks many. */
  nodeDeadlineMs: 5000,
  nodeDeadlineMsMax: 30_000,
  /** Bytes of one page of one node. */
  nodeAnswerBytesMax: 64 * 1024 * 1024,
  /** A node that says nothing for so long has left a connection; longer than any wait for a pin. */
  nodeSilenceMs: 360_000,
  cursorCharsMax: 16_384,
  /** Nodes whose places one cursor of the fleet's events can hold, as text before it is packed. */
  placesBytesMax: 1024 * 1024,
  /** How long a live stream of the fleet's events rests between asking the nodes; with many, 10 ms each. */
  fleetEventsIntervalMs: 1000,
  /** How far the clocks of a manager and a node may be apart, and signed requests remembered at one time. */
  signatureWindowMs: 30_000,
  signatureNoncesMax: 200_000,
  /** Receivers of events, the secrets of each, and the types that one can name. */
  webhooksMax: 64,
  webhookSecretsMax: 4,
  webhookTypesMax: 64,
  webhookUrlCharsMax: 2048,
  /** From the name to the head of the answer; and what of an answer's body is taken before it is cut off. */
  webhookTimeoutMs: 5000,
  webhookAnswerBytesMax: 64 * 1024,
  /** The first pause after a failure, to be doubled, and the longest; and the longest Retry-After obeyed. */
  webhookRetryMs: 1000,
  webhookRetryMaxMs: 300_000,
  webhookRetryAfterMaxMs: 3600 * 1000,
  /** Requests to all receivers together, and names that are looked up, at one time. */
  webhookSendsMax: 16,
  webhookLookupsMax: 2,
  /** Webhooks that read the log in one round of the event loop: about a millisecond each. */
  webhookReadsMax: 4,
  /** Events that are read from the log at a time, for each. */
  webhookEventsAhead: 100,
  /** Pings and repetitions that wait for one receiver. */
  webhookErrandsMax: 16,
  /** What was sent is kept to be looked at: so many of each. */
  webhookDeliveriesMax: 1000,
} as const;
