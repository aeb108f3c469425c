/** Hunts sequence numbers of a group that do not rise, whatever becomes of the queue's lanes. */
import { describe, expect, it } from "vitest";
import { messageId } from "../../src/core/receipt.ts";
import { laneId, offset, queueId, queueName } from "../../src/core/types.ts";
import { sequenceNumber } from "../../src/sqs/sequence-number.ts";
import { createWorld, idsOf, recordOf, text } from "../service/fixture.ts";

const FIFO = queueName("orders.fifo");

describe("sequence numbers", () => {
  it("have 20 digits for the first 9,000 lanes, and rise by lane and offset", () => {
    const at = (lane: number, place: number) =>
      sequenceNumber(
        messageId({ queueId: queueId("abcdefghijkl"), lane: laneId(lane), offset: offset(place) }),
      ) ?? "";
    const places = [
      [0, 0],
      [0, 1],
      [0, Number.MAX_SAFE_INTEGER],
      [1, 0],
      [999, 1_800_000_000_000_000],
      [1_000, 0],
      [8_999, Number.MAX_SAFE_INTEGER],
      [9_000, 0],
    ] as const;
    const numbers = places.map(([lane, place]) => at(lane, place));
    expect(numbers.map(({ length }) => length)).toEqual([20, 20, 20, 20, 20, 20, 20, 21]);
    const values = numbers.map(BigInt);
    expect(values.every((value, index) => index === 0 || value > (values[index - 1] ?? 0n))).toBe(
      true,
    );
  });

  it("a message on its timer has none", () => {
    expect(sequenceNumber("abcdefghijkl-t0-mjz0abcd-0123456789")).toBeUndefined();
  });

  it("N1: rise within every group while its lanes are changed, in idle times and after a purge", async () => {
    const world = createWorld();
    const service = world.instance();
    await service.putQueue(FIFO, { order: "key", lanes: 2 });
    const groups = ["a", "b", "c", "d", "e"];
    const last = new Map<string, bigint>();
    const lanes = new Set<number>();
    for (const [round, count] of [2, 5, 1, 3, 3, 7].entries()) {
      await service.patchQueue(FIFO, { lanes: count });
      await world.advance(11_000);
      if (round === 3) await service.purgeQueue(FIFO);
      if (round === 4) await world.advance(12 * 24 * 3_600_000);
      if (round === 4) await world.sweep();
      for (const key of [...groups, ...groups]) {
        const [id = ""] = idsOf(await world.through(service.send(FIFO, [{ ...text("m"), key }])));
        const number = BigInt(sequenceNumber(id) ?? 0);
        expect(number).toBeGreaterThan(last.get(key) ?? 0n);
        last.set(key, number);
      }
      for (const lane of (await recordOf(world, FIFO)).lanes.open) lanes.add(lane);
    }
    expect(lanes.size).toBeGreaterThan(15);
  });
});
