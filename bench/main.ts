/** `npm run bench`: what LaneMQ costs and how fast it is, beside the usual queue on DynamoDB. */
import { Command, InvalidArgumentError } from "commander";
import { clientSection } from "./client.ts";
import { contentionSection } from "./contention.ts";
import { costSection } from "./cost.ts";
import { groupsSection } from "./groups.ts";
import { httpSection } from "./http.ts";
import { writeMarkdown } from "./markdown.ts";
import { memorySection } from "./memory.ts";
import { onceSection } from "./once.ts";
import { orderedSection } from "./ordered.ts";
import { machine, meets, printSection, writeJson } from "./report.ts";
import { routingSection } from "./routing.ts";
import type { Section } from "./report.ts";
import { sharingSection } from "./sharing.ts";
import { sqsSection } from "./sqs.ts";
import { timersSection } from "./timers.ts";

// The SDK would greet a reader on Node 20 with a notice about itself.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= "true";

// A server under load is stopped when this process exits, which a signal alone would not tell it.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));

type Bench = (quick: boolean, progress: (text: string) => void) => Promise<Section>;

const BENCHES: Readonly<Record<string, Bench>> = {
  cost: costSection,
  ordered: orderedSection,
  once: onceSection,
  sharing: sharingSection,
  groups: groupsSection,
  contention: contentionSection,
  routing: routingSection,
  http: httpSection,
  client: clientSection,
  sqs: sqsSection,
  memory: memorySection,
  timers: timersSection,
};
const NAMES = Object.keys(BENCHES);

const command = new Command("npm run bench --")
  .description(
    "Measures cost, contention, throughput and memory. Exits with 1 if a target is missed.",
  )
  .option("--only <names>", `some of ${NAMES.join(", ")}`, listed, NAMES)
  .option("--quick", "smaller amounts: a first impression, no figures to quote", false)
  .option("--json <file>", "where the figures go", ".bench/results.json")
  .option("--markdown <file>", "a page of the figures as well")
  .parse();
const options = command.opts<{
  only: string[];
  quick: boolean;
  json: string;
  markdown?: string;
}>();

process.stdout.write(`${machine()}, Node ${process.versions.node}\n`);
const sections: Section[] = [];
for (const name of options.only) {
  const section = await BENCHES[name]?.(options.quick, progress);
  progress("");
  if (section === undefined) continue;
  sections.push(section);
  printSection(section);
  writeJson(options.json, sections, options.quick);
}
if (options.markdown !== undefined) await writeMarkdown(options.markdown, sections);
const missed = sections.flatMap(({ rows }) => rows).filter((row) => !meets(row)).length;
process.stdout.write(
  `\n${missed === 0 ? "Every target is met." : `${missed} targets are missed.`} The figures: ${options.json}\n`,
);
process.exitCode = missed === 0 ? 0 : 1;

/** On a terminal only: one line that is written over. */
function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001B[K${text}`);
}

function listed(text: string): string[] {
  const names = text.split(",");
  const unknown = names.find((name) => !NAMES.includes(name));
  if (unknown !== undefined) throw new InvalidArgumentError(`there is no "${unknown}"`);
  return names;
}
