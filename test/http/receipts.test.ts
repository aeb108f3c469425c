/** Hunts for receipts that one bad neighbour keeps from being answered. */
import { expect, test } from "vitest";
import { fixture } from "./face-fixture.ts";

test("ack, release and extend pass on receipts in order, doubles and malformed ones included", async () => {
  const { call, calls } = fixture();
  const receipts = ["a", "b", "a", "", "x".repeat(5000)];
  await call("ack", { body: { receipts } });
  await call("release", { body: { receipts } });
  await call("release", { body: { receipts, delaySeconds: 5, countAttempt: false } });
  await call("extend", { body: { receipts, leaseSeconds: 60 } });
  expect(calls).toEqual([
    { method: "ack", args: ["orders", receipts] },
    { method: "release", args: ["orders", receipts, { countAttempt: true }] },
    { method: "release", args: ["orders", receipts, { delaySeconds: 5, countAttempt: false }] },
    { method: "extend", args: ["orders", receipts, { leaseSeconds: 60 }] },
  ]);
});

test("each receipt has its answer, and its new receipt where it changed", async () => {
  const { call } = fixture({
    extend: async () => [
      { status: "done", receipt: "new" },
      { status: "gone" },
      { status: "invalid" },
    ],
  });
  const reply = await call("extend", { body: { receipts: ["a", "b", "c"], leaseSeconds: 1 } });
  expect([reply.status, reply.json()]).toEqual([
    200,
    { results: [{ status: "done", receipt: "new" }, { status: "gone" }, { status: "invalid" }] },
  ]);
});

test("only if every receipt is invalid the call is", async () => {
  const { call } = fixture({ ack: async (_, all) => all.map(() => ({ status: "invalid" })) });
  const reply = await call("ack", { body: { receipts: ["a", "b"] } });
  expect(reply.fault()).toEqual([400, "receipt-invalid", "receipts[0]"]);
});

test.each<["ack" | "release" | "extend", unknown, string]>([
  ["ack", {}, "receipts"],
  ["ack", { receipts: [] }, "receipts"],
  ["ack", { receipts: "a" }, "receipts"],
  ["ack", { receipts: ["a", 1] }, "receipts[1]"],
  ["ack", { receipts: [null] }, "receipts[0]"],
  ["ack", { receipts: Array.from({ length: 1001 }, () => "a") }, "receipts"],
  ["ack", { receipts: ["a"], force: true }, "force"],
  ["release", { receipts: ["a"], delaySeconds: -1 }, "delaySeconds"],
  ["release", { receipts: ["a"], delaySeconds: 43_201 }, "delaySeconds"],
  ["release", { receipts: ["a"], countAttempt: 1 }, "countAttempt"],
  ["extend", { receipts: ["a"] }, "leaseSeconds"],
  ["extend", { receipts: ["a"], leaseSeconds: 0.5 }, "leaseSeconds"],
  ["extend", { receipts: ["a"], leaseSeconds: 43_201 }, "leaseSeconds"],
])("%s refuses what is not valid (%#)", async (operation, body, path) => {
  const { call, calls } = fixture();
  expect((await call(operation, { body })).fault()).toEqual([400, "invalid-request", path]);
  expect(calls).toEqual([]);
});
