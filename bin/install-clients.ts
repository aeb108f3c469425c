/**
 * The clients of other languages for `npm run test:clients`: installs what it can into `.cache/clients`
 * and writes down what there is, and what is missing for which reason. Nothing outside that folder is
 * changed: Debian's own releases are used where they are installed.
 */
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { CLIENTS_FILE, type ForeignClients } from "../test/clients/foreign.ts";

const ROOT = resolve(".cache/clients");
const SOURCES = resolve("test/clients");
const DEBIAN_PYTHON = "/usr/bin/python3";
const DEBIAN_AWS = "/usr/bin/aws";

const run = promisify(execFile);
const OPTIONS = { timeout: 540_000, maxBuffer: 64 * 2 ** 20 };

mkdirSync(ROOT, { recursive: true });
const clients: ForeignClients = {
  ...(await python()),
  ...(await debian()),
  go: await go(),
  java: await java(),
};
writeFileSync(CLIENTS_FILE, `${JSON.stringify(clients, undefined, 2)}\n`);
for (const [name, client] of Object.entries(clients)) {
  const said = "missing" in client ? `skipped: ${client.missing}` : client.version;
  process.stdout.write(`  ${name.padEnd(16)} ${said}\n`);
}

type Client = ForeignClients[string];

/** What is current on PyPI, in an environment of its own. */
async function python(): Promise<ForeignClients> {
  const venv = join(ROOT, "python");
  const bin = join(venv, "bin");
  const requirements = join(SOURCES, "python", "requirements.txt");
  const stamp = join(venv, "requirements.txt");
  const wanted = readFileSync(requirements, "utf8");
  const installed = existsSync(stamp) && readFileSync(stamp, "utf8") === wanted;
  const outcome: { missing?: string } = installed
    ? {}
    : await tried("PyPI's clients", async () => {
        await run("python3", ["-m", "venv", "--clear", venv], OPTIONS);
        const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
        await run(join(bin, "python"), [...pip, "-r", requirements], OPTIONS);
        writeFileSync(stamp, wanted);
      });
  const of = async (command: string[], version: () => Promise<string>): Promise<Client> =>
    outcome.missing === undefined
      ? { command, version: await version() }
      : { missing: outcome.missing };
  const interpreter = join(bin, "python");
  return {
    boto3: await of([interpreter], () => moduleVersion(interpreter, "boto3")),
    celery: await of([interpreter], () => moduleVersion(interpreter, "celery")),
    "aws-cli": await of([join(bin, "aws")], () => awsVersion(join(bin, "aws"))),
  };
}

/** Older releases, which speak the query protocol. */
async function debian(): Promise<ForeignClients> {
  const of = async (module: string, packages: string): Promise<Client> => {
    const version = await moduleVersion(DEBIAN_PYTHON, module).catch(() => undefined);
    return version === undefined
      ? { missing: `not installed (apt-get install ${packages})` }
      : { command: [DEBIAN_PYTHON], version };
  };
  return {
    "boto3-debian": await of("boto3", "python3-boto3"),
    // It needs pycurl, too, which Debian only recommends.
    "celery-debian": await of("pycurl, celery", "python3-celery python3-boto3 python3-pycurl"),
    "aws-cli-debian": existsSync(DEBIAN_AWS)
      ? { command: [DEBIAN_AWS], version: await awsVersion(DEBIAN_AWS) }
      : { missing: "not installed (apt-get install awscli)" },
  };
}

async function go(): Promise<Client> {
  const program = join(ROOT, "go-client");
  const outcome = await tried("the Go program", async () => {
    await run("go", ["build", "-o", program, "."], { ...OPTIONS, cwd: join(SOURCES, "go") });
  });
  if (outcome.missing !== undefined) return { missing: outcome.missing };
  const module = readFileSync(join(SOURCES, "go", "go.mod"), "utf8");
  const version = /service\/sqs v(\S+)/.exec(module)?.[1] ?? "?";
  return { command: [program], version: `aws-sdk-go-v2/service/sqs ${version}` };
}

async function java(): Promise<Client> {
  const pom = join(SOURCES, "java", "pom.xml");
  const outcome = await tried("the Java program", async () => {
    await run("mvn", ["-q", "-B", "-f", pom, "compile"], OPTIONS);
  });
  if (outcome.missing !== undefined) return { missing: outcome.missing };
  const [sdk, spring] = [...readFileSync(pom, "utf8").matchAll(/<version>(\d+\.[\d.]+)</g)];
  return {
    command: ["java", "-cp", `${ROOT}/java/classes:${ROOT}/java/lib/*`, "clients.Main"],
    version: `AWS SDK ${sdk?.[1]}, Spring Cloud AWS ${spring?.[1]}`,
  };
}

async function tried(what: string, install: () => Promise<void>): Promise<{ missing?: string }> {
  process.stdout.write(`Installing ${what}…\n`);
  try {
    await install();
    return {};
  } catch (error) {
    const { code, stderr } = error as { code?: unknown; stderr?: unknown };
    if (code === "ENOENT") return { missing: `${what}: no such tool here` };
    const lines = String(stderr ?? error)
      .trim()
      .split("\n");
    return { missing: `${what}: ${lines.at(-1) ?? ""}`.slice(0, 200) };
  }
}

async function moduleVersion(interpreter: string, modules: string): Promise<string> {
  const last = modules.split(", ").at(-1) ?? "";
  const program = `import ${modules}; print(${last}.__version__)`;
  const { stdout } = await run(interpreter, ["-c", program], OPTIONS);
  return `${last} ${stdout.trim()}`;
}

/** `aws-cli/1.46.3 Python/…`: the first word. */
async function awsVersion(command: string): Promise<string> {
  const { stdout, stderr } = await run(command, ["--version"], OPTIONS);
  return (stdout || stderr).split(" ")[0] ?? "";
}
