/** Hunts: events that differ from what API Gateway would send, so that a face works here and not there. */
import { describe, expect, test } from "vitest";
import { call, NOW_MS, stubGateway } from "./stub-gateway.ts";

const QUEUE = "/v1/queues/orders/messages";

async function eventOf(
  method: string,
  path: string,
  options: Parameters<typeof call>[3] = {},
): Promise<NonNullable<Awaited<ReturnType<typeof stubGateway>>["events"][0]>> {
  const { port, events } = await stubGateway();
  const answer = await call(port, method, path, options);
  const event = events[0];
  if (event === undefined) throw new Error(`no event: ${answer.status} ${answer.text}`);
  return event;
}

describe("an event of payload format 2.0", () => {
  test("has every field of the documented example", async () => {
    const event = await eventOf(
      "POST",
      `${QUEUE}?parameter1=value1&parameter1=value2&parameter2=value`,
      {
        headers: {
          Host: "localhost:1234",
          Header1: "value1",
          Header2: ["value1", "value2"],
          Cookie: "cookie1=a; cookie2=b",
          "User-Agent": "agent",
          "Content-Type": "text/plain",
        },
        body: "Hello from client",
      },
    );
    expect(event).toEqual({
      version: "2.0",
      routeKey: "POST /v1/queues/{queue}/messages",
      rawPath: QUEUE,
      rawQueryString: "parameter1=value1&parameter1=value2&parameter2=value",
      cookies: ["cookie1=a", "cookie2=b"],
      headers: {
        host: "localhost:1234",
        header1: "value1",
        header2: "value1,value2",
        "user-agent": "agent",
        "content-type": "text/plain",
        "content-length": "17",
        connection: "close",
        "x-forwarded-for": "127.0.0.1",
        "x-forwarded-proto": "http",
        "x-forwarded-port": expect.stringMatching(/^\d+$/),
      },
      queryStringParameters: { parameter1: "value1,value2", parameter2: "value" },
      pathParameters: { queue: "orders" },
      requestContext: {
        accountId: "000000000000",
        apiId: "local",
        domainName: "localhost:1234",
        domainPrefix: "local",
        http: {
          method: "POST",
          path: QUEUE,
          protocol: "HTTP/1.1",
          sourceIp: "127.0.0.1",
          userAgent: "agent",
        },
        requestId: "request-1",
        routeKey: "POST /v1/queues/{queue}/messages",
        stage: "$default",
        time: "02/Jan/2026:03:04:05 +0000",
        timeEpoch: NOW_MS,
      },
      body: "Hello from client",
      isBase64Encoded: false,
    });
  });

  test("leaves out body, cookies, query and path parameters where there are none", async () => {
    const event = await eventOf("GET", "/v1/queues");
    for (const name of ["body", "cookies", "queryStringParameters", "pathParameters"])
      expect(event).not.toHaveProperty(name);
    expect(event.isBase64Encoded).toBe(false);
    expect(event.rawQueryString).toBe("");
  });

  test("decodes the path and its parameters, and keeps the query string as it came", async () => {
    const event = await eventOf(
      "GET",
      "/v1/queues/caf%C3%A9%20x/messages/a%2Bb?from=%C3%A9+1%2B&a=%zz",
    );
    expect(event.rawPath).toBe("/v1/queues/café x/messages/a+b");
    expect({ ...event.pathParameters }).toEqual({ queue: "café x", id: "a+b" });
    expect(event.rawQueryString).toBe("from=%C3%A9+1%2B&a=%zz");
    expect({ ...event.queryStringParameters }).toEqual({ from: "é 1+", a: "%zz" });
  });

  test("keeps a header or parameter named __proto__", async () => {
    const event = await eventOf("GET", "/v1/queues?__proto__=q", {
      headers: { ["__proto__"]: "h" },
    });
    expect(Object.entries(event.queryStringParameters ?? {})).toEqual([["__proto__", "q"]]);
    const { events, port } = await stubGateway();
    await call(port, "GET", "/v1/queues?constructor=1");
    expect(Object.keys(events[0]?.queryStringParameters ?? {})).toEqual(["constructor"]);
  });

  test("carries a queue name longer than the router's default on to the face", async () => {
    const event = await eventOf("POST", `/v1/queues/${"q".repeat(400)}/messages`);
    expect(event.pathParameters?.queue).toHaveLength(400);
  });
});

describe("the body of an event", () => {
  test.each([
    "text/plain",
    "Text/CSV; charset=utf-8",
    "application/json",
    "application/json; charset=utf-8",
    "application/xml",
    "application/javascript",
  ])("is text for %s", async (type) => {
    const event = await eventOf("POST", QUEUE, { headers: { "content-type": type }, body: "é€😀" });
    expect(event).toMatchObject({ body: "é€😀", isBase64Encoded: false });
  });

  test.each([
    undefined,
    "application/octet-stream",
    "application/x-ndjson",
    "application/x-www-form-urlencoded",
    "application/jsonp",
    "image/png",
  ])("is base64 for %s", async (type) => {
    const body = Buffer.from([0, 255, 128, 10]);
    const event = await eventOf("POST", QUEUE, {
      headers: type === undefined ? {} : { "content-type": type },
      body,
    });
    expect(event).toMatchObject({ body: body.toString("base64"), isBase64Encoded: true });
  });

  test("is base64 when it is compressed, whatever its type", async () => {
    const event = await eventOf("POST", QUEUE, {
      headers: { "content-type": "application/json", "content-encoding": "gzip" },
      body: "{}",
    });
    expect(event).toMatchObject({ body: "e30=", isBase64Encoded: true });
  });

  test("keeps bytes of a text type that are no UTF-8, for the face to refuse", async () => {
    const body = Buffer.from([0x22, 0xc3, 0x28, 0x22]);
    const event = await eventOf("POST", QUEUE, {
      headers: { "content-type": "application/json" },
      body,
    });
    expect(event).toMatchObject({ body: body.toString("base64"), isBase64Encoded: true });
  });

  test("is whole when it comes in many chunks that split a character", async () => {
    const body = Buffer.from("é".repeat(200_001));
    const event = await eventOf("POST", QUEUE, {
      headers: { "content-type": "text/plain" },
      body,
      chunked: true,
    });
    expect(event.body).toBe("é".repeat(200_001));
  });
});
