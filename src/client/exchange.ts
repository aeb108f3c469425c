/** One exchange: its settings, its bindings, and publishing to it. */
import type { CallOptions } from "./transport.ts";
import { encodeBody, encodeMessage } from "./message.ts";
import type { Client } from "./queue.ts";
import { LaneMQError } from "./errors.ts";
import { after, pages } from "./pages.ts";
import { chunksOf, encodeBatch } from "./send.ts";
import type { AnswerOf, BodyOf, PublishedJson, PublishResult } from "./wire.ts";

/** Of a message beside its body: the routing key, headers, and whatever else the service takes. */
export type PublishOptions = Omit<PublishedJson, "body" | "encoding">;
export type PublishedMessage<T = unknown> = PublishOptions & { readonly body: T | Uint8Array };

export class Exchange<In = unknown> {
  readonly name: string;
  readonly #client: Client;

  constructor(client: Client, name: string) {
    this.name = name;
    this.#client = client;
  }

  /** Creates the exchange, or replaces its settings; its type never changes. */
  create(
    settings: BodyOf<"putExchange">,
    options: CallOptions = {},
  ): Promise<AnswerOf<"putExchange">> {
    return this.#client.call("putExchange", { ...options, path: this.#path, body: settings });
  }

  info(options: CallOptions = {}): Promise<AnswerOf<"getExchange">> {
    return this.#client.call("getExchange", { ...options, path: this.#path });
  }

  /** Deletes the exchange and its bindings. */
  async delete(options: CallOptions = {}): Promise<void> {
    await this.#client.call("deleteExchange", { ...options, path: this.#path });
  }

  /** Binds a queue or an exchange, or replaces the binding of this id. */
  bind(
    id: string,
    binding: BodyOf<"putBinding">,
    options: CallOptions = {},
  ): Promise<AnswerOf<"putBinding">> {
    const path = { ...this.#path, id };
    return this.#client.call("putBinding", { ...options, path, body: binding });
  }

  async unbind(id: string, options: CallOptions = {}): Promise<void> {
    await this.#client.call("deleteBinding", { ...options, path: { ...this.#path, id } });
  }

  /** All bindings, page by page as far as you read on. */
  async *bindings(
    options: CallOptions = {},
  ): AsyncGenerator<AnswerOf<"listBindings">["bindings"][number], void, undefined> {
    const page = (cursor: string | undefined) =>
      this.#client.call("listBindings", { ...options, path: this.#path, query: after(cursor) });
    for await (const { bindings } of pages(page)) yield* bindings;
  }

  /**
   * Publishes one message. What no binding takes is no error: see `queues` and `unroutable`.
   * @throws LaneMQError also for what `publishBatch` gives as a result
   */
  async publish(
    body: In | Uint8Array,
    message: PublishOptions = {},
    options: CallOptions = {},
  ): Promise<Exclude<PublishResult, { readonly error: unknown }>> {
    const [result] = await this.publishBatch([{ ...message, body }], options);
    if (result === undefined) throw new LaneMQError("internal", "The answer has no result.");
    if ("error" in result) {
      const { code, detail, retryable } = result.error;
      throw new LaneMQError(code, detail, { retryable });
    }
    return result;
  }

  /** Publishes messages in as few requests as they fit in; one result a message, in order. */
  async publishBatch(
    messages: readonly PublishedMessage<In>[],
    options: CallOptions = {},
  ): Promise<PublishResult[]> {
    const bodies = messages.map(({ body }) => encodeBody(body));
    const tracing = await this.#client.tracing();
    return tracing.sending(this.name, messages.length, async (headers) => {
      const encoded = messages.map((message, index) => ({
        text: encodeMessage(bodies[index] ?? "", message, headers),
      }));
      const results: PublishResult[] = [];
      for (const chunk of chunksOf(encoded)) {
        const request = { path: this.#path, body: encodeBatch(chunk.map(({ text }) => text)) };
        const answer = await this.#client.transport.request("publish", request, options);
        results.push(...(answer as AnswerOf<"publish">).messages);
      }
      return results;
    });
  }

  get #path(): { readonly exchange: string } {
    return { exchange: this.name };
  }
}
