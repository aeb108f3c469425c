import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LIMITS } from "../../src/core/limits.ts";
import { parseMessageId } from "../../src/core/receipt.ts";
import {
  entryOf,
  parseTimerId,
  promoted,
  scheduleError,
  stampOf,
  timerId,
  timersAmong,
} from "../../src/core/timer.ts";
import { epochMs, queueId } from "../../src/core/types.ts";
import { timerOfKey, timerSortKey, timersUntil } from "../../src/store/keys.ts";

const NOW = epochMs(1_800_000_000_000);
const QUEUE = queueId("abcdefghij12");
const SETTINGS = { delaySeconds: 0, retentionSeconds: 3_600 };
const YEAR_MS = 365 * 86_400_000;

const place = (at: number, tag = "0123456789", shard = 3) => ({
  queueId: QUEUE,
  shard,
  at: epochMs(at),
  tag,
});

const stored = (bytes: number, tag: string) => ({
  place: place(NOW, tag),
  message: {
    kind: "text" as const,
    body: new Uint8Array(bytes),
    contentType: "text/plain; charset=utf-8",
    headers: {},
    sentAt: NOW,
    expiresAt: NOW,
    visibleAt: NOW,
  },
});

describe("a schedule", () => {
  it("without a time of its own is the queue's, and needs no timer", () => {
    expect(stampOf({}, { ...SETTINGS, delaySeconds: 7 }, NOW)).toEqual({
      times: { sentAt: NOW, visibleAt: NOW + 7_000, expiresAt: NOW + 3_600_000 },
    });
  });

  it("gives the message its whole life from the time on that it is due", () => {
    expect(stampOf({ delaySeconds: 90 }, SETTINGS, NOW)).toEqual({
      times: { sentAt: NOW, visibleAt: NOW + 90_000, expiresAt: NOW + 90_000 + 3_600_000 },
      promoteAt: NOW + 90_000,
    });
  });

  it("lets a message live for its own time from when it is visible, and no longer than the queue's", () => {
    const lives = (fields: object, settings = SETTINGS) =>
      stampOf(fields, settings, NOW).times.expiresAt - NOW;
    expect(lives({ ttlSeconds: 5 })).toBe(5_000);
    expect(lives({ ttlSeconds: 5 }, { ...SETTINGS, delaySeconds: 60 })).toBe(65_000);
    expect(lives({ ttlSeconds: 9_999 })).toBe(3_600_000);
    expect(lives({ ttlSeconds: 3_590 }, { ...SETTINGS, delaySeconds: 60 })).toBe(3_600_000);
    expect(lives({ ttlSeconds: 5, delaySeconds: 90 })).toBe(95_000);
    expect(lives({ ttlSeconds: 9_999, delaySeconds: 90 })).toBe(3_690_000);
  });

  it("T5: is promoted before its time by the queue's own delay", () => {
    const settings = { ...SETTINGS, delaySeconds: 60 };
    const stamp = stampOf({ deliverAt: epochMs(NOW + 100_000) }, settings, NOW);
    expect(stamp).toMatchObject({ promoteAt: NOW + 40_000, times: { visibleAt: NOW + 100_000 } });
  });

  it("T5: shorter than the queue's own delay needs no timer and waits as all do", () => {
    const stamp = stampOf({ delaySeconds: 5 }, { ...SETTINGS, delaySeconds: 60 }, NOW);
    expect(stamp).toEqual(stampOf({}, { ...SETTINGS, delaySeconds: 60 }, NOW));
  });

  it("that is past is there at once, and says so; no delay is not past", () => {
    expect(stampOf({ deliverAt: epochMs(NOW - 1) }, SETTINGS, NOW)).toEqual({
      ...stampOf({}, SETTINGS, NOW),
      isPast: true,
    });
    expect(stampOf({ delaySeconds: 0 }, SETTINGS, NOW)).toEqual(stampOf({}, SETTINGS, NOW));
  });

  it("is refused past a year, and twice over", () => {
    expect(scheduleError({ deliverAt: epochMs(NOW + YEAR_MS) }, NOW)).toBeUndefined();
    expect(scheduleError({ deliverAt: epochMs(NOW + YEAR_MS + 1) }, NOW)).toMatchObject({
      field: "deliverAt",
      message: expect.stringContaining("365 days"),
    });
    expect(scheduleError({ deliverAt: NOW, delaySeconds: 0 }, NOW)).toMatchObject({
      message: expect.stringContaining("delaySeconds"),
    });
  });
});

describe("a timer's id", () => {
  it("T4: is its place, and no message's", () => {
    fc.assert(
      fc.property(fc.nat(LIMITS.timerShardsMax), fc.nat(9e13), (shard, at) => {
        const one = place(at, "a1b2c3d4e5", shard);
        expect(parseTimerId(timerId(one))).toEqual(one);
        expect(parseMessageId(timerId(one))).toBeUndefined();
        expect(timerOfKey(timerSortKey(one.at, one.tag))).toEqual({ at: one.at, tag: one.tag });
      }),
    );
  });

  it("is nothing else", () => {
    const id = timerId(place(NOW));
    for (const text of ["", `${id}x`, id.toUpperCase(), id.replace("-t", "-"), `${id}-1`, "t"])
      expect(parseTimerId(text)).toBeUndefined();
  });

  it("sorts by time, and a bound takes exactly what is due by then", () => {
    const early = timerSortKey(epochMs(999), "zzzzzzzzzz");
    const late = timerSortKey(epochMs(1_000), "0000000000");
    expect(early < late).toBe(true);
    expect(early < timersUntil(epochMs(999)) && timersUntil(epochMs(999)) < late).toBe(true);
  });
});

describe("an entry of timers", () => {
  it("takes as many as an entry holds, by number and by bytes, and always one", () => {
    const many = Array.from({ length: 300 }, (_, at) => stored(10, String(at)));
    expect(entryOf(many)).toEqual(many.slice(0, LIMITS.entryMessages));
    const large = Array.from({ length: 9 }, (_, at) => stored(20_000, String(at)));
    expect(entryOf(large)).toEqual(large.slice(0, 3));
    const huge = [stored(LIMITS.entryRawBytes + 1, "a"), stored(1, "b")];
    expect(entryOf(huge)).toEqual(huge.slice(0, 1));
    expect(entryOf([])).toEqual([]);
  });

  it("knows its own by their ids: of this queue and this shard", () => {
    const ids = [
      timerId(place(1)),
      undefined,
      "abcdefghij12-0-5",
      timerId(place(1, "0123456789", 4)),
      timerId({ ...place(1), queueId: queueId("zzzzzzzzzz99") }),
    ];
    expect(timersAmong(ids, QUEUE, 3)).toEqual([place(1)]);
  });

  it("T5: never becomes visible before what stands ahead of it", () => {
    const { message } = stored(1, "a");
    const settings = { ...SETTINGS, delaySeconds: 10 };
    expect(promoted(message, settings, epochMs(NOW + 5)).visibleAt).toBe(NOW + 10_005);
    expect(promoted({ ...message, visibleAt: epochMs(NOW + 99_000) }, settings, NOW)).toMatchObject(
      { visibleAt: NOW + 99_000 },
    );
  });
});
