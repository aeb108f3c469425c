/** Hunts requests that reach the wrong action, and answers that an SDK of AWS could not read. */
import { describe, expect, it } from "vitest";
import * as v from "valibot";
import { LaneError } from "../../src/core/errors.ts";
import { action, type Action } from "../../src/sqs/action.ts";
import { SqsError } from "../../src/sqs/errors.ts";
import { jsonRequest, queryRequest, requestOf, sqsFixture } from "./requests.ts";

/** Gives back what reached it, or throws it. */
function echo(run: (input: Record<string, unknown>) => object | void = (input) => input) {
  const seen: unknown[] = [];
  const actions: Record<string, Action> = {
    CreateQueue: action(v.looseObject({}), async (call, input) => {
      seen.push({ input, endpoint: call.endpoint });
      return run(input);
    }),
    SendMessage: action(
      v.object({ QueueUrl: v.string(), MessageBody: v.string() }),
      async (call, input) => void seen.push({ input, endpoint: call.endpoint }),
    ),
  };
  return { seen, ...sqsFixture({ actions }) };
}

describe("in JSON", () => {
  it("an action is named by its target, and answered in exactly AWS's content type", async () => {
    const { ask, seen } = echo(() => ({ QueueUrl: "http://x/1/a" }));
    const reply = await ask(jsonRequest("CreateQueue", { QueueName: "a" }));
    expect(reply).toMatchObject({
      status: 200,
      headers: {
        "content-type": "application/x-amz-json-1.0",
        "x-amzn-requestid": "request-1",
      },
      text: '{"QueueUrl":"http://x/1/a"}',
    });
    expect(seen).toEqual([{ input: { QueueName: "a" }, endpoint: "http://localhost:9324" }]);
  });

  it("an action that answers nothing has no body, and an empty answer is an object", async () => {
    const { ask } = echo(() => ({ Messages: [], Attributes: {}, NextToken: undefined }));
    const message = { QueueUrl: "q", MessageBody: "m" };
    expect((await ask(jsonRequest("SendMessage", message))).text).toBe("");
    expect((await ask(jsonRequest("CreateQueue"))).text).toBe("{}");
  });

  it("an error carries its shape and its code of the query protocol", async () => {
    const { ask } = echo(() => {
      throw new LaneError("queue-not-found", 'There is no queue "a".');
    });
    const reply = await ask(jsonRequest("CreateQueue"));
    expect(reply.status).toBe(400);
    expect(reply.headers["x-amzn-query-error"]).toBe(
      "AWS.SimpleQueueService.NonExistentQueue;Sender",
    );
    expect(JSON.parse(reply.text)).toEqual({
      __type: "com.amazonaws.sqs#QueueDoesNotExist",
      message: "The specified queue does not exist.",
    });
  });

  it.each([
    ["CreateQueue", "[1]", "MalformedInput"],
    ["CreateQueue", "{", "MalformedInput"],
    ["Shutdown", "{}", "InvalidAction"],
    ["constructor", "{}", "InvalidAction"],
    ["SendMessage", '{"QueueUrl":"q"}', "MissingParameter"],
    ["SendMessage", '{"QueueUrl":"q","MessageBody":1}', "MalformedInput"],
  ])("%s of %s is refused as %s", async (name, input, code) => {
    const reply = await echo().ask(jsonRequest(name, input));
    expect(reply.status).toBe(400);
    expect(reply.headers["x-amzn-query-error"]).toBe(`${code};Sender`);
  });
});

describe("in the query protocol", () => {
  it("lists, maps and numbers are as in JSON, in the order of their numbers", async () => {
    const { ask, seen } = echo(() => {});
    await ask(
      queryRequest("CreateQueue", {
        "Attribute.2.Name": "VisibilityTimeout",
        "Attribute.2.Value": "30",
        "Attribute.1.Name": "DelaySeconds",
        "Attribute.1.Value": "5",
        "Tag.1.Key": "team",
        "Tag.1.Value": "",
        "AttributeName.10": "b",
        "AttributeName.2": "a",
        MaxNumberOfMessages: "10",
        "SendMessageBatchRequestEntry.1.Id": "one",
        "SendMessageBatchRequestEntry.1.DelaySeconds": "3",
        "SendMessageBatchRequestEntry.1.MessageAttribute.1.Name": "__proto__",
        "SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.DataType": "String",
        "SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.StringValue": "é & <",
      }),
    );
    const [{ input }] = seen as [{ input: Record<string, unknown> }];
    expect(input).toMatchObject({
      Attributes: { VisibilityTimeout: "30", DelaySeconds: "5" },
      tags: { team: "" },
      AttributeNames: ["a", "b"],
      MaxNumberOfMessages: 10,
    });
    const [entry] = input["Entries"] as Record<string, unknown>[];
    expect(entry).toMatchObject({ Id: "one", DelaySeconds: 3 });
    expect(Object.entries(entry?.["MessageAttributes"] as object)).toEqual([
      ["__proto__", { DataType: "String", StringValue: "é & <" }],
    ]);
  });

  it("the path names the queue unless a parameter does, and a GET asks as well as a POST", async () => {
    const { ask, seen } = echo();
    const message = { MessageBody: "m" };
    await ask(queryRequest("SendMessage", message, "/000000000000/a"));
    await ask(
      queryRequest(
        "SendMessage",
        { ...message, QueueUrl: "http://elsewhere/1/b" },
        "/000000000000/a",
      ),
    );
    await ask(
      requestOf({ method: "GET", path: "/queue/a", query: "Action=SendMessage&MessageBody=m" }),
    );
    expect(seen.map((one) => (one as { input: object }).input)).toMatchObject([
      { QueueUrl: "a" },
      { QueueUrl: "http://elsewhere/1/b" },
      { QueueUrl: "a" },
    ]);
  });

  it("an empty list may be spelled as an empty value", async () => {
    const { ask, seen } = echo(() => {});
    await ask(queryRequest("CreateQueue", { Entries: "" }));
    expect(seen).toMatchObject([{ input: { Entries: [] } }]);
  });

  it.each(["CreateQueue", "ListQueues"])("%s is no action of a queue's path", async (name) => {
    const { status, text } = await echo().ask(queryRequest(name, {}, "/000000000000/a"));
    expect(status).toBe(400);
    expect(text).toContain(`<Message>The action ${name} is not valid for this endpoint.</Message>`);
  });

  it("a queue that is not there is told in the words that old clients look for", async () => {
    const { ask } = echo(() => {
      throw new LaneError("queue-not-found", 'There is no queue "a".');
    });
    expect((await ask(queryRequest("CreateQueue"))).text).toContain(
      "<Message>The specified queue does not exist for this wsdl version.</Message>",
    );
  });

  it("an answer is AWS's XML: entries side by side, every character kept", async () => {
    const { ask } = echo(() => ({
      Messages: [
        {
          Body: 'a\r\n\t<b> & "c"',
          Attributes: { SentTimestamp: "1" },
          MessageAttributes: { n: { DataType: "Number", StringValue: "1" } },
        },
        { Body: "2" },
      ],
      Failed: [],
      Successful: [{ Id: "x" }],
      Tags: { k: "v" },
    }));
    const { headers, text } = await ask(queryRequest("CreateQueue"));
    expect(headers["content-type"]).toBe("text/xml");
    expect(text).toBe(
      '<?xml version="1.0"?><CreateQueueResponse xmlns="http://queue.amazonaws.com/doc/2012-11-05/"><CreateQueueResult>' +
        '<Message><Body>a&#xD;\n\t&lt;b&gt; &amp; "c"</Body>' +
        "<Attribute><Name>SentTimestamp</Name><Value>1</Value></Attribute>" +
        "<MessageAttribute><Name>n</Name><Value><DataType>Number</DataType><StringValue>1</StringValue></Value></MessageAttribute></Message>" +
        "<Message><Body>2</Body></Message>" +
        "<CreateQueueResultEntry><Id>x</Id></CreateQueueResultEntry>" +
        "<Tag><Key>k</Key><Value>v</Value></Tag>" +
        "</CreateQueueResult><ResponseMetadata><RequestId>request-1</RequestId></ResponseMetadata></CreateQueueResponse>",
    );
  });

  it("an action that answers nothing has no result", async () => {
    const { ask } = echo();
    const { text } = await ask(queryRequest("SendMessage", { MessageBody: "m" }, "/queue/a"));
    expect(text).toContain("<SendMessageResponse");
    expect(text).not.toContain("SendMessageResult");
  });

  it("an error says who is at fault, by AWS's code", async () => {
    const { ask } = echo(() => {
      throw new SqsError("QueueNameExists", "exists");
    });
    const { status, text } = await ask(queryRequest("CreateQueue"));
    expect(status).toBe(400);
    expect(text).toContain("<Type>Sender</Type><Code>QueueAlreadyExists</Code>");
    expect(text).toContain("<RequestId>request-1</RequestId></ErrorResponse>");
  });

  it.each<[string, Record<string, string>]>([
    ["a number that is none", { MaxResults: "ten" }],
    ["a list that is also a value", { "AttributeName.1": "a", "AttributeName.1.x": "b" }],
    ["a list with a word for a number", { "AttributeName.1": "a", "AttributeName.x": "b" }],
    ["a map without a key", { "Attribute.1.Value": "a" }],
    ["what is nested too deep", { "a.b.c.d.e.f.g": "1" }],
  ])("%s is malformed", async (_, parameters) => {
    const { text } = await echo().ask(queryRequest("CreateQueue", parameters));
    expect(text).toContain("<Code>MalformedInput</Code>");
  });

  it("a request without an action is told so", async () => {
    const { status, text } = await echo().ask(requestOf({ method: "GET" }));
    expect(status).toBe(404);
    expect(text).toContain("<UnknownOperationException/>");
  });
});

describe("of what went wrong inside", () => {
  it("the answer says nothing, and the log everything", async () => {
    const { ask, logged } = echo(() => {
      throw new Error("the table is called lanes-1234");
    });
    const reply = await ask(jsonRequest("CreateQueue"));
    expect(reply.status).toBe(500);
    expect(reply.text).not.toContain("lanes-1234");
    expect(logged).toMatchObject([
      { requestId: "request-1", error: { message: "the table is called lanes-1234" } },
    ]);
  });

  it("a path that is none of SQS's is answered as any other that does not exist", async () => {
    const reply = await echo().ask(requestOf({ method: "GET", path: "/v1/nothing" }));
    expect(reply).toMatchObject({
      status: 404,
      headers: { "content-type": "application/problem+json", "x-request-id": "request-1" },
    });
  });
});
