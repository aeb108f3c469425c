/** Runs bundles in a process of their own, as Lambda would: no node_modules, no TypeScript, no test code. */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";

interface Loaded {
  readonly ms: number;
  readonly handler: string;
}

export interface LambdaProcess {
  load(file: string): Promise<Loaded>;
  invoke(file: string, event: unknown): Promise<unknown>;
  close(): void;
}

const SCRIPT = `
  import { createInterface } from "node:readline";
  const context = { getRemainingTimeInMillis: () => 50_000 };
  for await (const line of createInterface({ input: process.stdin })) {
    const { file, event } = JSON.parse(line);
    const before = performance.now();
    const { handler } = await import(file);
    const ms = performance.now() - before;
    const result = event === undefined ? { ms, handler: typeof handler } : await handler(event, context);
    process.stdout.write("\\0" + JSON.stringify(result ?? null) + "\\n");
  }`;

export function startLambdaProcess(environment: Record<string, string>): LambdaProcess {
  const child: ChildProcess = spawn(process.execPath, ["--input-type=module", "--eval", SCRIPT], {
    env: {
      PATH: process.env["PATH"],
      AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "1",
      ...environment,
    },
    stdio: ["pipe", "pipe", "inherit"],
  });
  const { stdin, stdout } = child;
  if (stdin === null || stdout === null) throw new Error("The process has no pipes.");
  const waiting: { resolve: (value: unknown) => void; reject: (error: Error) => void }[] = [];
  createInterface({ input: stdout }).on("line", (line) => {
    // What a function logs goes to stdout, too.
    if (line.startsWith("\0")) waiting.shift()?.resolve(JSON.parse(line.slice(1)));
  });
  child.on("exit", (code) => {
    for (const one of waiting.splice(0)) one.reject(new Error(`The process ended: ${code}.`));
  });
  const ask = async (request: object): Promise<unknown> => {
    const answer = new Promise<unknown>((resolve, reject) => waiting.push({ resolve, reject }));
    stdin.write(`${JSON.stringify(request)}\n`);
    return answer;
  };
  return {
    load: async (file) => (await ask({ file })) as Loaded,
    invoke: async (file, event) => ask({ file, event }),
    close: () => void child.kill(),
  };
}
