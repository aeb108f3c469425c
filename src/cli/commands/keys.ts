/** `lanemq keys …` */
import { Command, Option } from "commander";
import type { AnswerOf } from "../../client/index.ts";
import { createKeyRequest } from "../../http/schemas/keys.ts";
import { action } from "../context.ts";
import type { Context, Surroundings } from "../context.ts";

const ACTIONS = createKeyRequest.entries.scopes.item.entries.actions.item.options;

export function keysCommand(surroundings: Surroundings): Command {
  const keys = new Command("keys").description("Create, list and revoke API keys.");
  const aws = (): Option =>
    new Option("--aws", "sign with AWS credentials: a deployed service asks for it");
  keys
    .command("create")
    .argument("<name>", "what it is for")
    .description("Create a key. Its secrets are shown once.")
    .addOption(
      new Option("--allow <actions...>", "what it may do").choices(ACTIONS).makeOptionMandatory(),
    )
    .option("--queues <pattern>", "on which queues; * stands for any run of characters")
    .option("--exchanges <pattern>", "on which exchanges; with neither, all queues")
    .option("--expires-at <time>", "as in 2030-01-31T12:00:00Z")
    .addOption(aws())
    .addHelpText(
      "after",
      `
Example:
  lanemq keys create shop --allow send receive --queues 'orders-*'`,
    )
    .action(action(surroundings, create));
  keys
    .command("list")
    .description("List keys.")
    .addOption(aws())
    .action(action(surroundings, list));
  keys
    .command("delete")
    .argument("<id>")
    .description("Revoke a key; it is refused after at most 60 s.")
    .addOption(aws())
    .action(action(surroundings, remove));
  return keys;
}

async function create(
  { lanemq, out, signal }: Context,
  flags: {
    readonly allow: (typeof ACTIONS)[number][];
    readonly queues?: string;
    readonly exchanges?: string;
    readonly expiresAt?: string;
  },
  [name = ""]: readonly string[],
): Promise<void> {
  const { allow: actions, queues, exchanges } = flags;
  const on = {
    ...(queues === undefined ? {} : { queues }),
    ...(exchanges === undefined ? {} : { exchanges }),
  };
  const all = { queues: "*" };
  const scope = { actions, ...(Object.keys(on).length === 0 ? all : on) };
  const key = await lanemq.call("createKey", {
    path: {},
    body: {
      name,
      scopes: [scope],
      ...(flags.expiresAt === undefined ? {} : { expiresAt: flags.expiresAt }),
    },
    signal,
  });
  out.one(key, shownOnce(key));
}

function shownOnce({ id, secret, ...access }: AnswerOf<"createKey">): string {
  const bearer = `Key ${id}. Its secret, shown only now:\n${secret}`;
  if (access.secretAccessKey === undefined) return bearer;
  return `${bearer}

For SQS clients, shown only now, too:
  AWS_ACCESS_KEY_ID=${access.accessKeyId}
  AWS_SECRET_ACCESS_KEY=${access.secretAccessKey}`;
}

async function list({ lanemq, out, signal }: Context): Promise<void> {
  const keys: AnswerOf<"listKeys">["keys"] = [];
  let cursor: string | undefined;
  do {
    const query = cursor === undefined ? {} : { cursor };
    const page = await lanemq.call("listKeys", { path: {}, query, signal });
    keys.push(...page.keys);
    ({ cursor } = page);
  } while (cursor !== undefined);
  out.list(
    keys,
    [
      { title: "id", of: ({ id }) => id },
      { title: "name", of: ({ name }) => name, isCut: true },
      {
        title: "may",
        of: ({ scopes }) => scopes.map(mayText).join(", "),
      },
      { title: "expires", of: ({ expiresAt = "never" }) => expiresAt.slice(0, 10) },
    ],
    "There are no keys.",
  );
}

type Scope = AnswerOf<"listKeys">["keys"][number]["scopes"][number];

const mayText = ({ actions, queues, exchanges }: Scope): string =>
  [
    actions.join("+"),
    ...(queues === undefined ? [] : [queues]),
    ...(exchanges === undefined ? [] : [`exchanges ${exchanges}`]),
  ].join(" ");

async function remove(
  { lanemq, out, signal }: Context,
  _flags: object,
  [id = ""]: readonly string[],
): Promise<void> {
  await lanemq.call("deleteKey", { path: { id }, signal });
  out.one({ deleted: id }, `Key ${id} is revoked.`);
}
