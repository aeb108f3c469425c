/** Hunts: answers that the gateway alters, limits of AWS that only show in a deployment, stops that lose work. */
import { connect } from "node:net";
import { describe, expect, test } from "vitest";
import { LIMITS } from "../../src/core/limits.ts";
import { createGateway } from "../../src/local/gateway.ts";
import { LocalError } from "../../src/local/local-error.ts";
import { call, STUB_ROUTES, stubGateway } from "./stub-gateway.ts";

const SEND = "/v1/queues/q/messages";
const JSON_TYPE = { "content-type": "application/json" };

describe("a result", () => {
  test("is played back with its status, headers, cookies and text", async () => {
    const { port } = await stubGateway({
      face: async () => ({
        statusCode: 418,
        headers: { "X-Number": 7, "X-Flag": true, "content-type": "text/x" },
        cookies: ["a=1", "b=2"],
        body: "é",
      }),
    });
    const answer = await call(port, "GET", "/v1/queues");
    expect(answer.status).toBe(418);
    expect(answer.text).toBe("é");
    expect(answer.headers).toMatchObject({
      "x-number": "7",
      "x-flag": "true",
      "content-type": "text/x",
      "content-length": "2",
      "set-cookie": ["a=1", "b=2"],
      "apigw-requestid": "request-1",
    });
  });

  test("in base64 is decoded", async () => {
    const bytes = Buffer.from([0, 255, 1]);
    const { port } = await stubGateway({
      face: async () => ({
        statusCode: 200,
        body: bytes.toString("base64"),
        isBase64Encoded: true,
      }),
    });
    expect((await call(port, "GET", "/v1/queues")).body).toEqual(bytes);
  });

  test("of 204 has neither body nor length", async () => {
    const { port } = await stubGateway({ face: async () => ({ statusCode: 204 }) });
    const answer = await call(port, "GET", "/v1/queues");
    expect(answer.status).toBe(204);
    expect(answer.headers).not.toHaveProperty("content-length");
    expect(answer.headers).not.toHaveProperty("content-type");
  });

  test("of a face that throws is 500, logged, and tells nothing", async () => {
    const { port, logged } = await stubGateway({
      face: async () => {
        throw new Error("secret");
      },
    });
    const answer = await call(port, "GET", "/v1/queues");
    expect([answer.status, answer.text]).toEqual([500, '{"message":"Internal Server Error"}']);
    expect(logged).toEqual([new Error("secret")]);
  });
});

describe("routing", () => {
  test.each([
    ["GET", "/nowhere"],
    ["PUT", SEND],
    ["OPTIONS", SEND],
    ["POST", `${SEND}/`],
    ["POST", "/V1/queues/q/messages"],
    ["POST", "/v1/queues//messages"],
    ["GET", "//v1/queues"],
  ])("%s %s is not found", async (method, path) => {
    const { port, events } = await stubGateway();
    const answer = await call(port, method, path);
    expect([answer.status, answer.text]).toEqual([404, '{"message":"Not Found"}']);
    expect(events).toEqual([]);
  });

  test.each(["/v1/queues/%zz/messages", "/v1/queues/%ff/messages"])(
    "%s, which is badly encoded, is a bad request",
    async (path) => {
      const { port } = await stubGateway();
      expect((await call(port, "POST", path)).status).toBe(400);
    },
  );

  test("goes to the face of the route's role", async () => {
    const face = (role: string) => async () => ({ statusCode: 200, body: role });
    const { port } = await stubGateway({
      faces: {
        send: face("send"),
        receive: face("receive"),
        ack: face("ack"),
        admin: face("admin"),
      },
    });
    expect((await call(port, "POST", SEND)).text).toBe("send");
    expect((await call(port, "POST", "/v1/queues/q/receive")).text).toBe("receive");
    expect((await call(port, "GET", "/v1/queues")).text).toBe("admin");
  });
});

describe("what AWS enforces", () => {
  test.each([false, true])("a payload above 10 MB is refused (chunked: %s)", async (chunked) => {
    const { port, events } = await stubGateway();
    const body = Buffer.alloc(LIMITS.gatewayBytes + 1);
    const answer = await call(port, "POST", SEND, { body, chunked });
    expect([answer.status, answer.text]).toEqual([413, '{"message":"Request Entity Too Large"}']);
    expect(events).toEqual([]);
  });

  test("an event whose base64 passes 6 MB is refused, a smaller one is not", async () => {
    const { port, events } = await stubGateway();
    const fits = Math.floor((LIMITS.lambdaPayloadBytes * 3) / 4) - 4_096;
    expect((await call(port, "POST", SEND, { body: Buffer.alloc(fits) })).status).toBe(200);
    expect((await call(port, "POST", SEND, { body: Buffer.alloc(fits + 8_192) })).status).toBe(413);
    expect(events).toHaveLength(1);
  });

  test("text counts as it is escaped in JSON", async () => {
    const { port } = await stubGateway();
    const bytes = 2 * 1024 * 1024;
    const send = (body: string) => call(port, "POST", SEND, { headers: JSON_TYPE, body });
    expect((await send("\u0001".repeat(bytes))).status).toBe(413);
    expect((await send('"'.repeat(bytes))).status).toBe(200);
  });

  test("an answer above 6 MB is an internal error", async () => {
    const bytes = LIMITS.lambdaPayloadBytes - 100;
    const { port } = await stubGateway({
      face: async ({ routeKey }) => ({
        statusCode: 200,
        body: "x".repeat(routeKey.startsWith("GET") ? bytes : bytes + 100),
      }),
    });
    expect((await call(port, "GET", "/v1/queues")).body).toHaveLength(bytes);
    expect((await call(port, "POST", SEND)).status).toBe(500);
  });

  test("more than 10,240 bytes of request line and headers are refused", async () => {
    const { port, events } = await stubGateway();
    const long = (bytes: number) => ({ headers: { "x-long": "x".repeat(bytes) } });
    expect((await call(port, "GET", "/v1/queues", long(9_000))).status).toBe(200);
    expect((await call(port, "GET", "/v1/queues", long(11_000))).status).toBe(431);
    expect((await call(port, "GET", "/v1/queues", long(60_000))).status).toBe(431);
    expect(events).toHaveLength(1);
  });

  test("after 30 s the answer is 503, and a late result changes nothing", async () => {
    let finish = (): void => {};
    let entered = (): void => {};
    const inside = new Promise<void>((resolve) => (entered = resolve));
    const { port, timers } = await stubGateway({
      face: () =>
        new Promise((resolve) => {
          finish = () => resolve({ statusCode: 200, body: "late" });
          entered();
        }),
    });
    const answering = call(port, "GET", "/v1/queues");
    await inside;
    expect(timers.map(({ ms }) => ms)).toEqual([30_000]);
    timers[0]?.run();
    const answer = await answering;
    expect([answer.status, answer.text]).toEqual([503, '{"message":"Service Unavailable"}']);
    finish();
  });

  test("an answer in time cancels the time-out", async () => {
    const { port, timers } = await stubGateway();
    await call(port, "GET", "/v1/queues");
    expect(timers).toEqual([]);
  });
});

describe("what a web page could send, while no key is set", () => {
  test.each(["evil.example", "evil.example:9324", "localhost.evil.example", "10.0.0.1"])(
    "Host %j is refused",
    async (host) => {
      const { port, events } = await stubGateway();
      const answer = await call(port, "GET", "/v1/queues", { headers: { host } });
      expect(answer.status).toBe(403);
      expect(JSON.parse(answer.text)).toEqual({ message: expect.stringContaining("Host") });
      expect(events).toEqual([]);
    },
  );

  test.each(["localhost", "LOCALHOST:80", "127.0.0.1:9324", "127.1.2.3", "[::1]:9324"])(
    "Host %s is served",
    async (host) => {
      const { port } = await stubGateway();
      expect((await call(port, "GET", "/v1/queues", { headers: { host } })).status).toBe(200);
    },
  );

  test.each([
    "https://evil.example",
    "null",
    "http://localhost.evil.example",
    "http://localhost@evil.example",
    "file://",
  ])("Origin %s is refused", async (origin) => {
    const { port, events } = await stubGateway();
    expect((await call(port, "POST", SEND, { headers: { origin } })).status).toBe(403);
    expect(events).toEqual([]);
  });

  test("an Origin on this machine is served, without CORS headers", async () => {
    const { port } = await stubGateway();
    const answer = await call(port, "POST", SEND, {
      headers: { origin: "http://localhost:3000" },
    });
    expect(answer.status).toBe(200);
    expect(Object.keys(answer.headers).join()).not.toContain("access-control");
  });

  test("with a key, any Host and Origin are served", async () => {
    const { port } = await stubGateway({ open: false });
    const headers = { host: "queue.example", origin: "https://page.example" };
    expect((await call(port, "GET", "/v1/queues", { headers })).status).toBe(200);
  });
});

describe("closing", () => {
  test("ends long waits, and answers them", async () => {
    let entered = (): void => {};
    const inside = new Promise<void>((resolve) => (entered = resolve));
    const { port, gateway } = await stubGateway({
      face: (_event, context) =>
        new Promise((resolve) => {
          context?.signal?.addEventListener("abort", () =>
            resolve({ statusCode: 200, body: "none" }),
          );
          entered();
        }),
    });
    const waiting = call(port, "POST", "/v1/queues/q/receive");
    await inside;
    await gateway.close();
    expect((await waiting).text).toBe("none");
  });

  test("waits for requests under way, and refuses new ones", async () => {
    let finish = (): void => {};
    let entered = (): void => {};
    const inside = new Promise<void>((resolve) => (entered = resolve));
    const { port, gateway } = await stubGateway({
      face: () =>
        new Promise((resolve) => {
          finish = () => resolve({ statusCode: 201, body: "stored" });
          entered();
        }),
    });
    const sending = call(port, "POST", SEND);
    await inside;
    let closed = false;
    const closing = gateway.close().then(() => (closed = true));
    await expect(call(port, "GET", "/v1/queues")).rejects.toThrow(/ECONNREFUSED/);
    expect(closed).toBe(false);
    finish();
    expect((await sending).text).toBe("stored");
    await closing;
  });

  test("drops a request whose body never comes, after a grace", async () => {
    const { port, gateway, timers, events } = await stubGateway();
    const socket = connect(port, "127.0.0.1");
    const ended = new Promise<void>((resolve) => socket.once("close", () => resolve()));
    socket.write(
      "POST /v1/queues/q/messages HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\n1",
    );
    await call(port, "GET", "/v1/queues");
    const closing = gateway.close();
    expect(timers.map(({ ms }) => ms)).toEqual([2_000]);
    timers[0]?.run();
    await Promise.all([closing, ended]);
    expect(events).toHaveLength(1);
  });
});

test("a caller that hangs up ends its wait", async () => {
  let entered = (): void => {};
  let ended = (): void => {};
  const inside = new Promise<void>((resolve) => (entered = resolve));
  const aborted = new Promise<void>((resolve) => (ended = resolve));
  const { port } = await stubGateway({
    face: (_event, context) =>
      new Promise((resolve) => {
        context?.signal?.addEventListener("abort", () => {
          ended();
          resolve({ statusCode: 200 });
        });
        entered();
      }),
  });
  const socket = connect(port, "127.0.0.1");
  socket.write(
    "POST /v1/queues/q/receive HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n",
  );
  await inside;
  socket.destroy();
  await aborted;
});

test("a wait that is asked for after its caller has hung up ends at once", async () => {
  let entered = (): void => {};
  let goOn = (): void => {};
  let ended = (): void => {};
  const inside = new Promise<void>((resolve) => (entered = resolve));
  const gate = new Promise<void>((resolve) => (goOn = resolve));
  const aborted = new Promise<void>((resolve) => (ended = resolve));
  const { port } = await stubGateway({
    face: async (_event, context) => {
      entered();
      await gate;
      const signal = context?.signal;
      if (signal?.aborted === true) ended();
      else signal?.addEventListener("abort", ended);
      return { statusCode: 200 };
    },
  });
  const socket = connect(port, "127.0.0.1");
  socket.write(
    "POST /v1/queues/q/receive HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n",
  );
  await inside;
  await new Promise((resolve) => socket.once("close", resolve).destroy());
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  goOn();
  await aborted;
});

test("what is no HTTP is answered, and the server goes on", async () => {
  const { port } = await stubGateway();
  const socket = connect(port, "127.0.0.1");
  const text = new Promise<string>((resolve) =>
    socket.once("data", (data) => resolve(data.toString())),
  );
  socket.write("nonsense\r\n\r\n");
  expect(await text).toMatch(/^HTTP\/1.1 400 Bad Request/);
  socket.destroy();
  expect((await call(port, "GET", "/v1/queues")).status).toBe(200);
});

test("a port that is taken is said in one line", async () => {
  const { port } = await stubGateway();
  const face = async () => ({ statusCode: 200 });
  const second = createGateway({
    routes: STUB_ROUTES,
    faces: { send: face, receive: face, ack: face, admin: face },
    open: true,
    now: () => 0,
    requestId: () => "",
    after: () => () => {},
    log: () => {},
  });
  await expect(second.listen(port, "127.0.0.1")).rejects.toEqual(
    new LocalError(`port ${port} of 127.0.0.1 is taken`),
  );
});
