/** `lanemq profile …`: services by name. Keys are read from standard input, so that no shell remembers them. */
import { Command } from "commander";
import { outputOf } from "../context.ts";
import type { GlobalFlags, Surroundings } from "../context.ts";
import { profilesFile, readProfiles, validUrl, writeProfiles } from "../profiles.ts";
import { UsageError } from "../usage-error.ts";

export function profileCommand(surroundings: Surroundings): Command {
  const { env, stdin, stderr } = surroundings;
  const profile = new Command("profile").description("Name services, and keep their keys.");
  profile
    .command("set")
    .argument("<name>", '"default" is used where nothing else says')
    .argument("<url>", "where the service is")
    .option("--key", "read a key from standard input")
    .description("Add a profile, or replace it.")
    .addHelpText(
      "after",
      `
Example:
  lanemq profile set prod https://lanes.example.com --key`,
    )
    .action(async (name: string, url: string, flags: { key?: true }, command: Command) => {
      const file = profilesFile(env);
      const known = readProfiles(file);
      if (name === "__proto__" || !/^[\w.-]+$/.test(name)) {
        throw new UsageError("a profile's name is made of letters, digits, _, - and .");
      }
      const endpoint = validUrl(url);
      const key = flags.key === true ? { apiKey: await keyFrom(stdin, stderr) } : {};
      writeProfiles(file, { ...known, [name]: { endpoint, ...key } });
      outputOf(command.optsWithGlobals<GlobalFlags>(), surroundings).one(
        { profile: name, endpoint },
        `Profile ${name} is in ${file}.`,
      );
    });
  profile
    .command("list")
    .description("List profiles, without their keys.")
    .action((_flags, command: Command) => {
      const rows = Object.entries(readProfiles(profilesFile(env))).map(
        ([name, { endpoint, apiKey }]) => ({ name, endpoint, hasKey: apiKey !== undefined }),
      );
      outputOf(command.optsWithGlobals<GlobalFlags>(), surroundings).list(
        rows,
        [
          { title: "profile", of: ({ name }) => name },
          { title: "key", of: ({ hasKey }) => (hasKey ? "yes" : "no") },
          { title: "endpoint", of: ({ endpoint }) => endpoint, isCut: true },
        ],
        "There are no profiles.",
      );
    });
  profile
    .command("delete")
    .argument("<name>")
    .description("Forget a profile.")
    .action((name: string, _flags, command: Command) => {
      const file = profilesFile(env);
      const { [name]: gone, ...others } = readProfiles(file);
      if (gone === undefined) throw new UsageError(`there is no profile "${name}" in ${file}`);
      writeProfiles(file, others);
      outputOf(command.optsWithGlobals<GlobalFlags>(), surroundings).one(
        { deleted: name },
        `Profile ${name} is forgotten.`,
      );
    });
  return profile;
}

/** Neither echoed nor printed. */
async function keyFrom(stdin: NodeJS.ReadStream, stderr: NodeJS.WriteStream): Promise<string> {
  if (stdin.isTTY) {
    stderr.write("The key: ");
    stdin.setRawMode(true);
  }
  let text = "";
  try {
    for await (const chunk of stdin) {
      text += String(chunk);
      if (stdin.isTTY && text.includes("\u0003")) throw new UsageError("no key was given");
      if (/[\r\n]/.test(text)) break;
    }
  } finally {
    if (stdin.isTTY) {
      stdin.setRawMode(false);
      stderr.write("\n");
    }
  }
  const key = text.trim();
  if (!/^[\x21-\x7e]{1,512}$/.test(key)) throw new UsageError("that is not a key");
  return key;
}
