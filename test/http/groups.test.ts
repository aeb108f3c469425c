import { describe, expect, test } from "vitest";
import { epochMs } from "../../src/core/types.ts";
import { fixture, groupView } from "./face-fixture.ts";

describe("a group to be made", () => {
  test.each([
    [undefined, "earliest"],
    ["latest", "latest"],
    [
      { time: "2026-01-02T03:04:05.678+01:00" },
      { time: epochMs(Date.UTC(2026, 0, 2, 2, 4, 5, 678)) },
    ],
    [{ id: "abcdefghijkl-1-2" }, { id: "abcdefghijkl-1-2" }],
  ])("from %o begins there", async (from, start) => {
    const { call, calls } = fixture();
    const body = from === undefined ? {} : { from };
    const reply = await call("putGroup", { group: "audit", body });
    expect([reply.status, reply.json()["begins"]]).toEqual([201, "earliest"]);
    expect(calls[0]?.args).toEqual(["orders", "audit", { from: start, settings: {} }]);
  });

  test.each([
    ["end", "from"],
    [{ time: "2026-01-02" }, "from"],
    [{ time: "2026-02-30T00:00:00Z" }, "from"],
    [{ id: "" }, "from"],
    [{ id: "abcdefghijkl-1-2", time: "2026-01-02T00:00:00Z" }, "from"],
    [{}, "from"],
    [7, "from"],
  ])("from %o is refused", async (from, path) => {
    const { call, calls } = fixture();
    const [status, code, where] = (await call("putGroup", { body: { from } })).fault();
    expect([status, code]).toEqual([400, "invalid-request"]);
    expect(where).toContain(path);
    expect(calls).toEqual([]);
  });

  test("has settings of its own, as it says them", async () => {
    const { call, calls } = fixture();
    const settings = { maxReceives: null, deadLetter: { queue: "dead" } };
    const reply = await call("putGroup", { body: settings });
    expect(reply.json()).toMatchObject({ name: "audit", settings });
    expect(calls[0]?.args[2]).toEqual({ from: "earliest", settings });
  });

  test("is 200 where it was there before", async () => {
    const { call } = fixture({ putGroup: async () => ({ group: groupView("audit") }) });
    const reply = await call("putGroup", { body: { from: "latest" } });
    expect([reply.status, reply.json()["begins"]]).toEqual([200, undefined]);
  });

  test.each([
    [{ maxReceives: 0 }, "maxReceives"],
    [{ filter: "tag" }, "filter"],
    [{ leaseSeconds: 3 }, "leaseSeconds"],
    [{ deadLetter: { exchange: "x", queue: "y" } }, "deadLetter"],
  ])("%o is refused", async (body, path) => {
    const { call } = fixture();
    expect((await call("putGroup", { body })).fault()).toEqual([400, "invalid-request", path]);
  });

  test.each(["", "a/b", "x".repeat(81), "ü"])("cannot be called %o", async (group) => {
    const { call } = fixture();
    for (const operation of ["putGroup", "getGroup", "deleteGroup"] as const)
      expect((await call(operation, { group })).fault()).toEqual([400, "invalid-request", "group"]);
  });
});

test("a seek says where the group has come to stand", async () => {
  const { call, calls } = fixture();
  const reply = await call("seekGroup", { group: "default", body: { from: "latest" } });
  expect([reply.status, reply.json()["begins"]]).toEqual([200, "within"]);
  expect(calls[0]?.args).toEqual(["orders", "default", "latest"]);
  expect((await call("seekGroup", { body: {} })).fault()).toEqual([400, "invalid-request", "from"]);
});
