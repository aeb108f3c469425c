/** What attributes mean for settings, and how a queue looks in attributes, whoever made it. */
import { describe, expect, it } from "vitest";
import { DEFAULT_SETTINGS } from "../../src/core/queue.ts";
import type { QueueSettings, SqsPart } from "../../src/core/queue.ts";
import { exchangeName, queueName } from "../../src/core/types.ts";
import { attributesOf, beginning, changeOf, differing } from "../../src/sqs/queue-attributes.ts";
import type { Attributes, QueueState } from "../../src/sqs/queue-attributes.ts";
import { faultOf } from "./faults.ts";

const HERE = { account: "000000000000", region: "us-east-1" };
const ARN = "arn:aws:sqs:us-east-1:000000000000:dead";
const STANDARD = beginning(false);
const FIFO = beginning(true);

const queue = (settings: Partial<QueueSettings> = {}, sqs: SqsPart = {}): QueueState => ({
  settings: { ...DEFAULT_SETTINGS, ...settings },
  sqs,
});

/** The queue after the attributes were set. */
function set(given: Attributes, before: QueueState = STANDARD): QueueState {
  const { settings, sqs } = changeOf(given, before);
  return { settings: { ...before.settings, ...settings }, sqs };
}

const shown = (state: QueueState): Attributes => attributesOf(state, HERE);

const ALLOW_ALL = '{ "redrivePermission": "allowAll" }';
const DEFAULTS = {
  DelaySeconds: "0",
  MaximumMessageSize: "1048576",
  MessageRetentionPeriod: "345600",
  ReceiveMessageWaitTimeSeconds: "0",
  VisibilityTimeout: "30",
  SqsManagedSseEnabled: "true",
};

describe("a new queue", () => {
  it("has AWS's defaults, which are LaneMQ's", () => {
    expect(shown(STANDARD)).toEqual(DEFAULTS);
    expect(STANDARD.settings).toEqual(DEFAULT_SETTINGS);
  });

  it("that is FIFO has four attributes more", () => {
    expect(shown(FIFO)).toEqual({
      ...DEFAULTS,
      FifoQueue: "true",
      ContentBasedDeduplication: "false",
      DeduplicationScope: "queue",
      FifoThroughputLimit: "perQueue",
    });
  });
});

describe("a number", () => {
  const RANGES: readonly [string, keyof QueueSettings, number, number][] = [
    ["DelaySeconds", "delaySeconds", 0, 900],
    ["MaximumMessageSize", "maxMessageBytes", 1_024, 1_048_576],
    ["MessageRetentionPeriod", "retentionSeconds", 60, 1_209_600],
    ["ReceiveMessageWaitTimeSeconds", "waitSeconds", 0, 20],
    ["VisibilityTimeout", "leaseSeconds", 0, 43_200],
  ];

  it.each(RANGES)("%s is the setting %s, within %i and %i", (name, setting, min, max) => {
    for (const value of [min, max]) {
      const state = set({ [name]: String(value) });
      expect(state.settings[setting]).toBe(value);
      expect(shown(state)[name]).toBe(String(value));
    }
    for (const text of [min - 1, max + 1, "", " 100", "100.5", "true", "1e2", "0x64"].map(String))
      expect([text, faultOf(() => set({ [name]: text }))]).toEqual([
        text,
        ["InvalidAttributeValue", `Invalid value for the parameter ${name}.`],
      ]);
  });

  it("J12: that only REST can set is given back as it is", () => {
    const odd = queue({ retentionSeconds: 31_536_000, delaySeconds: 43_200, maxMessageBytes: 1 });
    expect(shown(odd)).toMatchObject({
      MessageRetentionPeriod: "31536000",
      DelaySeconds: "43200",
      MaximumMessageSize: "1",
    });
    expect(shown(set({ VisibilityTimeout: "7" }, odd)).MessageRetentionPeriod).toBe("31536000");
  });
});

describe("a name", () => {
  it.each([
    "Foobar",
    "constructor",
    "All",
    "QueueArn",
    "CreatedTimestamp",
    "LastModifiedTimestamp",
    "ApproximateNumberOfMessages",
    "FifoQueue",
    "ContentBasedDeduplication",
  ])("%s is unknown to a standard queue", (name) => {
    expect(faultOf(() => set({ [name]: "true" }))).toEqual([
      "InvalidAttributeName",
      `Unknown Attribute ${name}.`,
    ]);
  });

  it.each(["DeduplicationScope", "FifoThroughputLimit"])("%s is for FIFO queues", (name) => {
    expect(faultOf(() => set({ [name]: "queue" }))).toEqual([
      "InvalidAttributeName",
      `You can specify the ${name} only when FifoQueue is set to true.`,
    ]);
  });

  it("that is wrong is said before any value is", () => {
    expect(faultOf(() => set({ DelaySeconds: "-1", Foobar: "1" }))?.[0]).toBe(
      "InvalidAttributeName",
    );
  });
});

describe("a FIFO queue", () => {
  it("stays one", () => {
    for (const text of ["true", "True"])
      expect(shown(set({ FifoQueue: text }, FIFO))).toEqual(shown(FIFO));
    expect(faultOf(() => set({ FifoQueue: "false" }, FIFO))).toEqual([
      "InvalidAttributeValue",
      "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.",
    ]);
  });

  it("J11: recognises repeats as its dedup settings say, and keeps a window that REST has set", () => {
    const dedup = { scope: "queue", windowSeconds: 900, contentBased: false } as const;
    const before = queue({ order: "key", dedup });
    const both = { ContentBasedDeduplication: "True", DeduplicationScope: "messageGroup" };
    expect(set(both, before).settings.dedup).toEqual({
      scope: "key",
      windowSeconds: 900,
      contentBased: true,
    });
    expect(set({ DeduplicationScope: "queue" }, before).settings.dedup).toEqual(dedup);
  });

  it("is one that REST made with order by key, and no other", () => {
    expect(shown(queue({ order: "key" }))).toMatchObject({
      FifoQueue: "true",
      DeduplicationScope: "queue",
    });
    expect(shown(queue({ order: "lane" }))).toEqual(DEFAULTS);
  });

  it("has a throughput limit by group only with a scope by group", () => {
    const high = { DeduplicationScope: "messageGroup", FifoThroughputLimit: "perMessageGroupId" };
    const state = set(high, FIFO);
    expect(shown(state)).toMatchObject(high);
    for (const [given, before] of [
      [{ FifoThroughputLimit: "perMessageGroupId" }, FIFO],
      [{ DeduplicationScope: "queue" }, state],
    ] as const)
      expect(faultOf(() => set(given, before))).toEqual([
        "InvalidAttributeValue",
        "Invalid value for the parameter FifoThroughputLimit. Reason: To set FifoThroughputLimit to perMessageGroupId, the DeduplicationScope must be messageGroup.",
      ]);
    const back = { DeduplicationScope: "queue", FifoThroughputLimit: "perQueue" };
    expect(shown(set(back, state))).toEqual(shown(FIFO));
  });

  it("whose scope REST has taken back can still be changed", () => {
    const high = { DeduplicationScope: "messageGroup", FifoThroughputLimit: "perMessageGroupId" };
    const { sqs } = set(high, FIFO);
    const state = set({ VisibilityTimeout: "7" }, { ...FIFO, sqs });
    expect(shown(state)).toMatchObject({ VisibilityTimeout: "7", FifoThroughputLimit: "perQueue" });
  });

  it.each(["ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit"])(
    "takes no odd value for %s",
    (name) => {
      expect(faultOf(() => set({ [name]: "odd" }, FIFO))).toEqual([
        "InvalidAttributeValue",
        `Invalid value for the parameter ${name}.`,
      ]);
    },
  );
});

describe("encryption", () => {
  it("is by one key at a time", () => {
    expect(
      faultOf(() => set({ KmsMasterKeyId: "testKeyId", SqsManagedSseEnabled: "true" })),
    ).toEqual([
      "InvalidAttributeName",
      "You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS SSE.",
    ]);
  });

  it("by KMS takes SQS's away, and the other way round", () => {
    const kms = set({ KmsMasterKeyId: "testKeyId" });
    expect(shown(kms)).toMatchObject({
      KmsMasterKeyId: "testKeyId",
      KmsDataKeyReusePeriodSeconds: "300",
      SqsManagedSseEnabled: "false",
    });
    expect(shown(set({ SqsManagedSseEnabled: "true" }, kms))).toEqual(DEFAULTS);
  });

  it("by KMS ends with an empty key, and begins nothing else", () => {
    const kms = set({ KmsMasterKeyId: "testKeyId", KmsDataKeyReusePeriodSeconds: "6000" });
    expect(shown(kms).KmsDataKeyReusePeriodSeconds).toBe("6000");
    const none = set({ KmsMasterKeyId: "", KmsDataKeyReusePeriodSeconds: "300" }, kms);
    expect(shown(none)).toEqual({ ...DEFAULTS, SqsManagedSseEnabled: "false" });
  });

  it.each([
    ["KmsDataKeyReusePeriodSeconds", "59"],
    ["KmsDataKeyReusePeriodSeconds", "86401"],
    ["SqsManagedSseEnabled", "yes"],
    ["KmsMasterKeyId", "k".repeat(2_049)],
  ])("takes no %s of %.10s", (name, text) => {
    expect(faultOf(() => set({ [name]: text }))).toEqual([
      "InvalidAttributeValue",
      `Invalid value for the parameter ${name}.`,
    ]);
  });
});

describe("dead-lettering", () => {
  const dead = queueName("dead");
  const RedrivePolicy = `{"deadLetterTargetArn":"${ARN}","maxReceiveCount":3}`;

  it("J11: is deadLetter and maxReceives", () => {
    const state = set({ RedrivePolicy: RedrivePolicy.replace("3", '"3"') });
    expect(state.settings).toMatchObject({ deadLetter: { queue: dead }, maxReceives: 3 });
    expect(shown(state).RedrivePolicy).toBe(RedrivePolicy);
    expect(shown(queue({ deadLetter: { queue: dead }, maxReceives: 3 }))).toEqual(shown(state));
  });

  it("ends with an empty policy, also of what has expired", () => {
    const before = queue({ deadLetter: { queue: dead }, maxReceives: 3, onExpired: "deadLetter" });
    const state = set({ RedrivePolicy: "" }, before);
    expect(state).toEqual(STANDARD);
    expect(set({ RedrivePolicy: "" }, STANDARD)).toEqual(STANDARD);
  });

  it("J12: in a way that SQS has no words for is not shown, and stays", () => {
    const ways: Partial<QueueSettings>[] = [
      { deadLetter: { exchange: exchangeName("x") }, maxReceives: 3 },
      { deadLetter: { queue: dead }, onExpired: "deadLetter" },
      { maxReceives: 3, onPoison: "block", order: "key" },
    ];
    for (const way of ways) {
      const before = queue(way);
      expect(shown(before)).not.toHaveProperty("RedrivePolicy");
      expect(set({ RedrivePolicy: "" }, before)).toEqual(before);
      const { deadLetter, maxReceives, onPoison } = set({ RedrivePolicy }, before).settings;
      expect([deadLetter, maxReceives, onPoison]).toEqual([{ queue: dead }, 3, "deadLetter"]);
    }
  });
});

describe("what is kept as it was given", () => {
  it.each([
    ["Policy", '{ "Statement": {"Effect":"Allow","Principal":"*","Action":"*"} }'],
    ["RedriveAllowPolicy", '{ "redrivePermission": "denyAll" }'],
  ])("%s, and an empty one is none", (name, text) => {
    const state = set({ [name]: text });
    expect(shown(state)).toEqual({ ...DEFAULTS, [name]: text });
    expect(set({ [name]: "" }, state)).toEqual(STANDARD);
  });
});

describe("a queue that is made again", () => {
  const RedrivePolicy = `{"maxReceiveCount": "3", "deadLetterTargetArn": "${ARN}"}`;
  const state = set({ VisibilityTimeout: "69", RedrivePolicy, RedriveAllowPolicy: ALLOW_ALL });

  it.each<Attributes>([
    {},
    { VisibilityTimeout: "69" },
    { VisibilityTimeout: "0069", DelaySeconds: "0", Policy: "" },
    { RedrivePolicy },
    { RedriveAllowPolicy: '{"redrivePermission":"allowAll"}' },
  ])("is the same with %j", (given) => {
    expect(differing(given, state, HERE)).toBeUndefined();
  });

  it.each<[string, Attributes]>([
    ["DelaySeconds", { VisibilityTimeout: "69", DelaySeconds: "2" }],
    ["VisibilityTimeout", { VisibilityTimeout: "30" }],
    ["RedrivePolicy", { RedrivePolicy: RedrivePolicy.replace("3", "4") }],
    ["RedrivePolicy", { RedrivePolicy: "" }],
    ["KmsMasterKeyId", { KmsMasterKeyId: "k" }],
  ])("differs in %s with %j", (name, given) => {
    expect(differing(given, state, HERE)).toBe(name);
  });

  it("is checked for what is wrong first", () => {
    expect(faultOf(() => differing({ Foobar: "1" }, state, HERE))?.[0]).toBe(
      "InvalidAttributeName",
    );
  });
});
