import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { contentErrors, pointerError, transformer } from "../../src/core/transform.ts";
import type { Content } from "../../src/core/transform.ts";

const json = (text: string, headers: Record<string, string> = {}): Content => ({
  kind: "json",
  body: Buffer.from(text),
  contentType: "application/json",
  headers,
});
const textOf = (content: Content | undefined) =>
  content === undefined ? undefined : Buffer.from(content.body).toString();
const part = (pointer: string, content: Content) => textOf(transformer({ body: pointer })(content));

describe("a transform", () => {
  it("sets and removes headers, in that order of precedence", () => {
    const change = transformer({ removeHeaders: ["a", "b"], setHeaders: { b: "2", c: "3" } });
    expect(change(json("1", { a: "1", b: "1", d: "1" }))?.headers).toEqual({
      b: "2",
      c: "3",
      d: "1",
    });
  });

  it("takes a part of the body as the sender wrote it", () => {
    const body =
      '{ "order": {"total": 12345678901234567890.10, "lines":[ {"sku":"a"},[1,2] ]},"a/b":{"~":1}}';
    expect(part("/order/total", json(body))).toBe("12345678901234567890.10");
    expect(part("/order/lines/1/0", json(body))).toBe("1");
    expect(part("/order/lines/0", json(body))).toBe('{"sku":"a"}');
    expect(part("/a~1b/~0", json(body))).toBe("1");
    expect(part("", json(body))).toBe(body);
    expect(part("/0", json('{"0":"zero"}'))).toBe('"zero"');
  });

  it.each(["/other", "/order/lines/2", "/order/lines/01", "/order/lines/-", "/order/total/x", "/"])(
    "does not let a message pass that has nothing at %s",
    (pointer) => {
      expect(part(pointer, json('{"order":{"total":1,"lines":[1,2]}}'))).toBeUndefined();
    },
  );

  it("takes text for JSON by its content type, if it is", () => {
    const text = (body: string, contentType: string): Content => ({
      kind: "text",
      body: Buffer.from(body),
      contentType,
      headers: {},
    });
    expect(part("/a", text('{"a":1}', "application/json"))).toBe("1");
    expect(part("/a", text('{"a":1', "application/json"))).toBeUndefined();
    expect(part("/a", text('{"a":1}', "text/plain"))).toBeUndefined();
  });

  it("finds what a parsed body has at the pointer", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 3 }), fc.array(fc.nat(3)), (value, steps) => {
        let at: unknown = value;
        const tokens: string[] = [];
        for (const step of steps) {
          if (typeof at !== "object" || at === null) break;
          const key = Object.keys(at)[step];
          if (key === undefined) break;
          tokens.push(key.replaceAll("~", "~0").replaceAll("/", "~1"));
          at = (at as Record<string, unknown>)[key];
        }
        const pointer = tokens.map((token) => `/${token}`).join("");
        const found = part(pointer, json(JSON.stringify(value)));
        expect(found === undefined ? undefined : JSON.parse(found)).toEqual(
          JSON.parse(JSON.stringify(at)),
        );
      }),
    );
  });

  it("knows what is no JSON pointer, and headers that are too many or too large", () => {
    expect(pointerError("/a/b~01")).toBeUndefined();
    expect(pointerError("a")).toContain("JSON pointer");
    expect(pointerError("/a~2")).toContain("JSON pointer");
    const many = Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`h${index}`, ""]));
    expect(contentErrors(json("1", many))).toHaveLength(1);
    expect(contentErrors(json("1", { a: "x".repeat(17_000) }))).toHaveLength(1);
    expect(contentErrors(json("1", { a: "x" }))).toEqual([]);
  });
});
