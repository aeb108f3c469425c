/** The AWS command line as it is, in its text and JSON forms. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { dataFolderUntil } from "../e2e/folders.ts";
import { programOf } from "./foreign.ts";
import { newQueueName, startService } from "./speakers.ts";
import type { Served } from "./speakers.ts";

/** Each of its calls takes a second or two. */
const LONG_MS = 120_000;
const folder = dataFolderUntil(afterAll);

let served: Served;
beforeAll(async () => {
  served = await startService();
});
afterAll(() => served.close());

describe.each(["aws-cli", "aws-cli-debian"])("%s", (name) => {
  const { title, isMissing, run } = programOf(name);

  const aws = async (...args: string[]) =>
    run(["sqs", ...args, "--endpoint-url", served.url], {
      AWS_ACCESS_KEY_ID: "anybody",
      AWS_SECRET_ACCESS_KEY: "anything",
      AWS_DEFAULT_REGION: "us-east-1",
      AWS_CONFIG_FILE: "/dev/null",
      AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
      AWS_EC2_METADATA_DISABLED: "true",
      AWS_PAGER: "",
    });
  const text = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await aws(...args, "--output", "text");
    expect(code, stderr).toBe(0);
    return stdout.trim();
  };
  const json = async (...args: string[]): Promise<Record<string, unknown>> => {
    const { code, stdout, stderr } = await aws(...args, "--output", "json");
    expect(code, stderr).toBe(0);
    return stdout.trim() === "" ? {} : (JSON.parse(stdout) as Record<string, unknown>);
  };

  test.skipIf(isMissing)(
    title,
    async () => {
      const queueName = newQueueName();
      const url = await text("create-queue", "--queue-name", queueName, "--query", "QueueUrl");
      expect(url.endsWith(`/${queueName}`)).toBe(true);
      const queue = ["--queue-url", url];
      const file = join(await folder(), "attributes.json");
      const attributes = { team: { DataType: "String", StringValue: "a" } };
      await writeFile(file, JSON.stringify(attributes));
      await json("send-message", ...queue, "--message-body", "hello ä").then((sent) =>
        expect(sent).toHaveProperty("MD5OfMessageBody"),
      );
      await text(
        "send-message",
        ...queue,
        "--message-body",
        "2",
        "--message-attributes",
        `file://${file}`,
      );
      const entries = ["a", "b"].map((Id) => ({ Id, MessageBody: Id }));
      const batch = ["--entries", JSON.stringify(entries)];
      expect(await json("send-message-batch", ...queue, ...batch)).toMatchObject({
        Successful: [{ Id: "a" }, { Id: "b" }],
      });

      const bodies: string[] = [];
      while (bodies.length < 4) {
        const { Messages = [] } = (await json(
          "receive-message",
          ...queue,
          "--max-number-of-messages=10",
          "--wait-time-seconds=2",
          "--attribute-names=All",
          "--message-attribute-names=All",
        )) as { Messages?: { Body: string; ReceiptHandle: string; MessageAttributes?: unknown }[] };
        expect(Messages).not.toHaveLength(0);
        for (const { Body, ReceiptHandle, MessageAttributes } of Messages) {
          bodies.push(Body);
          expect(MessageAttributes).toEqual(Body === "2" ? attributes : undefined);
          await text("delete-message", ...queue, "--receipt-handle", ReceiptHandle);
        }
      }
      expect(bodies.sort()).toEqual(["2", "a", "b", "hello ä"]);

      await text("set-queue-attributes", ...queue, "--attributes", "VisibilityTimeout=9");
      expect(
        await json("get-queue-attributes", ...queue, "--attribute-names", "All"),
      ).toMatchObject({
        Attributes: { VisibilityTimeout: "9", ApproximateNumberOfMessages: "0" },
      });
      await text("tag-queue", ...queue, "--tags", "team=a,stage=test");
      expect(await json("list-queue-tags", ...queue)).toEqual({
        Tags: { team: "a", stage: "test" },
      });
      expect(await text("list-queues", "--queue-name-prefix", queueName)).toContain(url);
      await text("purge-queue", ...queue);
      await text("delete-queue", ...queue);
      const gone = await aws("get-queue-url", "--queue-name", queueName);
      expect(gone.code).not.toBe(0);
      expect(gone.stderr).toContain("NonExistentQueue");
    },
    LONG_MS,
  );
});
