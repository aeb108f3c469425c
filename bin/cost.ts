/** `npm run cost`: what a load costs in a month; with `--write` it renews docs/what-it-costs.md. */
import { readFileSync, writeFileSync } from "node:fs";
import { Command, InvalidArgumentError } from "commander";
import { LIMITS } from "../src/core/limits.ts";
import type { Load } from "../lib/load-cost.ts";
import { bill, blocks, DEFAULT_LOAD } from "./cost-text.ts";

const number = (least: number, most: number) => (text: string) => {
  const value = Number(text);
  if (text.trim() !== "" && value >= least && value <= most) return value;
  throw new InvalidArgumentError(`it has to be from ${least} to ${most}`);
};
const whole = (least: number, most: number) => (text: string) =>
  Math.round(number(least, most)(text));

const { write, messages, ...options } = new Command("npm run cost --")
  .description("What a load costs in a month, from measured units and list prices.")
  .option("--messages <number>", "a day, as in 1e6", number(1, 1e12), DEFAULT_LOAD.messagesPerDay)
  .option(
    "--batch <number>",
    "messages of a send, a receive and an ack",
    whole(1, LIMITS.messagesPerSend),
    DEFAULT_LOAD.batch,
  )
  .option("--bytes <number>", "of a body", whole(1, LIMITS.messageBytes), DEFAULT_LOAD.bytes)
  .option("--consumers <number>", "that wait, 20 s a call", whole(0, 1e6), DEFAULT_LOAD.consumers)
  .option(
    "--retention-days <number>",
    "how long messages are kept",
    number(1 / 1_440, 365),
    DEFAULT_LOAD.retentionDays,
  )
  .option("--once", "sends have an idempotency key, as the client's have", false)
  .option("--write", "renew docs/what-it-costs.md instead", false)
  .parse()
  .opts<{ write: boolean; messages: number } & Omit<Load, "messagesPerDay">>();

if (write) await renew();
else if (options.batch * options.bytes > LIMITS.requestBytes) {
  process.stderr.write(`A request has at most ${LIMITS.requestBytes} B.\n`);
  process.exitCode = 2;
} else process.stdout.write(await bill({ ...options, messagesPerDay: messages }));

async function renew(): Promise<void> {
  const page = new URL("../docs/what-it-costs.md", import.meta.url);
  const made = await blocks();
  const text = readFileSync(page, "utf8").replace(
    /(<!-- (\w+): npm run cost -- --write -->\n)[^]*?(<!-- prettier-ignore-end -->)/g,
    (_, begin: string, name: string, end: string) => `${begin}\n${made[name] ?? ""}\n\n${end}`,
  );
  writeFileSync(page, text);
}
