/** Every limit, with where it comes from. */

const KIB = 1024;
const MIB = 1024 * KIB;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_SECONDS = 86_400;

export const LIMITS = {
  /** Raw request body after decompression. Lambda takes 6 MB of event, base64 included: 4 MiB × 4/3 fits. */
  requestBytes: 4 * MIB,
  /** HTTP API's own cap on a payload. */
  gatewayBytes: 10 * MIB,
  /** Lambda's cap on a synchronous event and on its answer. */
  lambdaPayloadBytes: 6 * MIB,
  /** JSON of an answer before it becomes a Lambda result; base64 of it still fits Lambda's 6 MiB. */
  responseBytes: 4 * MIB + 256 * KIB,
  messageBytes: 1 * MIB,
  /** Ordering key: as SQS's MessageGroupId. */
  keyChars: 128,
  tenantChars: 128,
  /** Of each priority, so that all of them together stay within `lanesMax`. */
  lanesOfPriorityMax: 25,
  /** As SQS's MessageDeduplicationId. */
  dedupIdChars: 128,
  idempotencyKeyChars: 128,
  dedupWindowSecondsMin: 60,
  dedupWindowSecondsMax: 7 * DAY_SECONDS,
  headersPerMessage: 64,
  headerNameBytes: 256,
  headerBytesTotal: 16 * KIB,
  /** Entries of a batch, and messages of a receive, as AWS has it. */
  sqsBatchEntries: 10,
  sqsAttributes: 10,
  sqsAttributeNameBytes: 256,
  sqsDelaySecondsMax: 900,
  /** Of a receive, by `wireBytes`, where a first message is not larger by itself: XML makes up to five bytes of one. */
  sqsReceiveBytes: 1 * MIB + 128 * KIB,
  /** For how long a ReceiveRequestAttemptId stands for the messages that it got. */
  attemptMs: 5 * MINUTE_MS,
  /** Of SQS's message attributes, as they are stored beside the body: names, data types and values, those of `Binary` as base64. An item holds 400 KB. */
  attributeBytes: 360 * KIB,
  contentTypeBytes: 256,
  messagesPerSend: 1_000,
  messagesPerReceive: 1_000,
  receiptsPerCall: 1_000,
  receiptChars: 512,
  browsePage: 1_000,
  listPage: 1_000,
  leaseSecondsMax: 43_200,
  releaseDelaySecondsMax: 43_200,
  backoffSecondsMax: 43_200,
  backoffFactorMax: 10,
  retentionSecondsMin: 60,
  retentionSecondsMax: 365 * DAY_SECONDS,
  delaySecondsMax: 43_200,
  /** How far ahead a message may be scheduled. */
  scheduleSecondsMax: 365 * DAY_SECONDS,
  /** HTTP API ends a request after 30 s. */
  waitSecondsMax: 20,
  maxReceivesMax: 1_000,
  lanesMax: 256,
  /** As SQS's. */
  moveRatePerSecondMax: 500,
  /** As SQS's. */
  moveTasksListed: 10,
  /** How long a move task that has ended is listed. */
  moveTaskKeptMs: 30 * 24 * HOUR_MS,
  tagsMax: 50,
  tagKeyChars: 128,
  tagValueChars: 256,

  /** Of queues as SQS has them; REST takes more. */
  sqsRetentionSecondsMax: 14 * DAY_SECONDS,
  sqsMessageBytesMin: KIB,
  kmsKeyIdChars: 2_048,
  kmsReuseSecondsMin: 60,
  kmsReuseSecondsMax: DAY_SECONDS,
  /** SQS's quotas of a queue's access policy. */
  policyBytes: 8 * KIB,
  policyStatements: 20,
  permissionActions: 7,
  permissionLabelChars: 80,
  /** ARNs in a RedriveAllowPolicy. */
  redriveSourcesMax: 10,
  purgeEveryMs: MINUTE_MS,
  /** Beyond it the messages that wait on a schedule are not counted any more. */
  scheduledCounted: 1_000,

  keyNameChars: 128,
  scopesPerKey: 20,
  /** Beside the default one. The janitor looks at each group of each lane every minute. */
  groupsPerQueue: 100,

  /** AMQP's short string. */
  routingKeyBytes: 255,
  bindingIdChars: 80,
  bindingHeaders: 64,
  weightMax: 1_000,
  jsonPointerChars: 512,
  /** Entries of `x-death`, the latest first. */
  deathsKept: 32,

  /** An event pattern, as JSON; Lambda's own event filters take as much. */
  patternBytes: 4 * KIB,
  patternDepth: 12,
  patternAlternatives: 128,

  /** Design §3, packing: an entry's raw content before deflate, and its messages. */
  entryRawBytes: 64 * KIB,
  entryMessages: 256,
  /** A body that is larger together with its headers goes into parts; an item may hold 400 KB. */
  inlineMessageBytes: 256 * KIB,
  partBytes: 380 * KIB,

  /** Of a recurring schedule's message: its record is read at each firing. */
  scheduleBodyBytes: 64 * KIB,
  /** Packed: with its key, an item of 1 KB at most. The body of a larger one stands in parts, which are written once. */
  timerInlineBytes: 900,
  /** A partition takes 1,000 writes/s; a receive looks at each. */
  timerShardsMax: 16,
  /** T3: a timer is not cancelled this short before it is promoted. */
  cancelMarginMs: 10_000,
  /** T6: by then every copy of a timer's put has arrived, and the engine has answered. */
  timerCopiesMs: 2 * MINUTE_MS,

  /** C7: no claim makes an open segment's item larger: at most 2 write units. */
  segmentBytes: 1_536,
  /** C7: a segment is cut once another lease like its last would pass this: mostly 1 write unit. */
  segmentRoomyBytes: 1_000,
  /** C3/C4: one lease; its pending set stays below a kilobyte. */
  leaseMessages: 256,
  /** C4: expressions are limited to 4 KB and 300 operators. */
  moveMembers: 100,
  /** Leases that one update touches: expressions are limited to 4 KB and 300 operators. */
  leasesPerUpdate: 40,
  /** Where order is kept segments are not cut, and hold this much: some thousand keys in flight. */
  orderedSegmentBytes: 100 * KIB,
  /** T5: keys that one claim may come to hold for giving another one's messages first. */
  drainedPast: 16,
  /** C7: hard cap of listed segments per lane and group; beyond it receive says `too-many-leases`. */
  segmentsPerLane: 1_000,

  /** L6 */
  tailBelievedMs: 30_000,
  requestTimeoutMs: 5_000,
  /** L5 */
  appendTtlMarginMs: 10 * MINUTE_MS,
  sealTtlMarginMs: 2 * MINUTE_MS,
  touchTtlMs: 30 * MINUTE_MS,
  /** L7 */
  anchorTrustedMs: 10 * MINUTE_MS,
  anchorRenewableMs: 20 * MINUTE_MS,
  /** E5: how long a dedup record outlives the window, so that no put is made as it ends. */
  dedupSpareMs: MINUTE_MS,
  /** L4 */
  entryTtlAfterExpiryMs: HOUR_MS,
  /** L4: the more where what expires unread is dead-lettered, should nothing run for so long. */
  unreadKeptMs: 4 * 24 * HOUR_MS,
  /** C7 */
  closedSegmentTtlMs: HOUR_MS,
  cursorCachedMs: 10 * MINUTE_MS,
  settingsCachedMs: 10_000,
  /** Bindings are read again after so long even if nothing says that they have changed. */
  bindingsReadAgainMs: MINUTE_MS,
  keyCachedMs: 60_000,
  /** AWS: how far a signature's time may be from now. */
  signatureMs: 15 * MINUTE_MS,
  /** AWS: of a presigned request. */
  presignedSecondsMax: 7 * DAY_SECONDS,
  deletedNameMs: 60_000,
} as const;
