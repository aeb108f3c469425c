/**
 * What consumer groups cost: a second group beside none, and a group whose filter lets a hundredth of
 * a backlog through. Units as in `cost.ts` (U1).
 */
import { groupName } from "../src/core/types.ts";
import type { QueueName } from "../src/core/types.ts";
import { each, receipts, withBed } from "./bed.ts";
import type { Bed } from "./bed.ts";
import type { Row, Section } from "./report.ts";

const GROUP = groupName("audit");
const SEND = 1_000;
const SENDS = 100;

export async function groupsSection(
  quick: boolean,
  progress: (text: string) => void,
): Promise<Section> {
  return withBed(progress, async (bed) => {
    return {
      title: "Consumer groups",
      method:
        "Units as the engine reports them (ConsumedCapacity), warm instances, in one process with the engine.\n" +
        "The naive column: the same without a second group.",
      rows: [...(await sends(bed)), ...(await catchUp(bed, quick ? 100_000 : 1_000_000))],
    };
  });
}

/** A send of 100 beside how many groups. */
async function sends(bed: Bed): Promise<Row[]> {
  bed.progress("sends beside groups…");
  const perSend = async (groups: number): Promise<number> => {
    const queue = await bed.queue({ lanes: 1 });
    const { service, meter } = bed.lanes();
    for (let group = 0; group < groups; group++)
      await service.putGroup(queue, groupName(`g${group}`), { from: "earliest", settings: {} });
    const batch = Array.from({ length: 100 }, (_, n) => json({ n, region: "us" }));
    await service.send(queue, batch);
    meter.take();
    for (let send = 0; send < SENDS; send++) await service.send(queue, batch);
    return each(meter.take(), SENDS).writeUnits;
  };
  const alone = await perSend(0);
  return [
    {
      what: "send of 100, beside ten groups",
      unit: "write units",
      measured: await perSend(10),
      naive: alone,
      target: { atMost: alone },
    },
  ];
}

/** A hundredth of the messages matches, by a field of the body. */
async function catchUp(bed: Bed, backlog: number): Promise<Row[]> {
  const queue = await bed.queue({ lanes: 4 });
  await fill(bed, queue, backlog);
  const { service, meter } = bed.lanes();
  const settings = { filter: { body: { region: ["eu"] } } };
  await service.putGroup(queue, GROUP, { from: "earliest", settings });
  bed.progress("catching up…");
  meter.take();
  const startedAt = performance.now();
  let got = 0;
  for (;;) {
    const batch = await service.receive(queue, { max: 100, group: GROUP });
    if (batch.length === 0) break;
    got += batch.length;
    await service.ack(queue, receipts(batch));
  }
  const seconds = (performance.now() - startedAt) / 1_000;
  if (got !== backlog / 100) throw new Error(`${got} messages were let through`);
  const units = each(meter.take(), backlog / 1_000);
  const what = `1 % of ${backlog.toLocaleString("en-US")} matches, received by 100`;
  return [
    { what, unit: "messages examined/s", measured: backlog / seconds, target: { atLeast: 50_000 } },
    { what, unit: "write units per 1,000 examined", measured: units.writeUnits },
    { what, unit: "read units per 1,000 examined", measured: units.readUnits },
  ];
}

async function fill(bed: Bed, queue: QueueName, count: number): Promise<void> {
  const { service } = bed.lanes();
  for (let from = 0; from < count; from += SEND) {
    if (from % 100_000 === 0) bed.progress(`sending ${from} of ${count}…`);
    await service.send(
      queue,
      Array.from({ length: SEND }, (_, index) => {
        const n = from + index;
        return json({ n, region: n % 100 === 0 ? "eu" : "us", pad: "x".repeat(150) });
      }),
    );
  }
}

const json = (value: object) => ({
  kind: "json" as const,
  body: Buffer.from(JSON.stringify(value)),
  contentType: "application/json",
  headers: {},
});
