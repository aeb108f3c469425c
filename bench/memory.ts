/** The most memory that the whole embedded service holds, its engine included, with a long backlog on disk. */
import { drainLoad, sendBodies, sendLoad } from "./load.ts";
import type { Row, Section } from "./report.ts";
import { withServers } from "./served.ts";

const BATCH = 100;

export async function memorySection(
  quick: boolean,
  progress: (text: string) => void,
): Promise<Section> {
  const backlog = quick ? 50_000 : 1_000_000;
  const rows = await withServers(["lanes"], async (served) => {
    const rows: Row[] = [];
    const peak = (what: string, atMost?: number): void => {
      const measured = served.peakMegabytes();
      if (measured === undefined) return;
      const target = atMost === undefined ? {} : { target: { atMost } };
      rows.push({ what, unit: "MB, peak", measured, ...target });
    };
    const url = `${served.url}/v1/queues/backlog`;
    await fetch(url, { method: "PUT" });
    peak("started");
    progress(`sending ${backlog} messages…`);
    const bodies = sendBodies(BATCH, 100_000);
    const load = { url: served.url, queue: "backlog", batch: BATCH };
    const sent = await sendLoad({ ...load, amount: backlog / BATCH }, bodies);
    const { depth } = (await (await fetch(url)).json()) as { depth: { ready: number } };
    rows.push({
      what: "backlog, by the service's own count",
      unit: "messages",
      measured: depth.ready,
      target: { atLeast: backlog },
    });
    rows.push({ what: "sent in batches of 100", unit: "messages/s", measured: sent.perSecond });
    peak("backlog sent");
    progress("receiving from it…");
    await drainLoad({ ...load, seconds: quick ? 2 : 10 });
    peak("and received from for a while", 400);
    return rows;
  });
  return {
    title: `Memory with a backlog of ${backlog.toLocaleString("en-US")} messages on disk`,
    method:
      "The peak of the whole process, engine included (VmHWM). Bodies of 200 B,\n" +
      "sent and received in batches of 100 over 64 connections.",
    rows,
  };
}
