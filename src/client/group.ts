/** One consumer group of a queue: what it is to see, and where it reads. */
import type { Client } from "./queue.ts";
import type { CallOptions } from "./transport.ts";
import type { AnswerOf, BodyOf, PathOf } from "./wire.ts";

export type GroupSettings = BodyOf<"putGroup">;
export type GroupView = AnswerOf<"getGroup">;

export class Group {
  readonly name: string;
  readonly #client: Client;
  readonly #path: PathOf<"getGroup">;

  constructor(client: Client, queue: string, name: string) {
    this.name = name;
    this.#client = client;
    this.#path = { queue, group: name };
  }

  /** Creates the group, or replaces its settings; where it begins holds for a new one only. */
  create(settings: GroupSettings = {}, options: CallOptions = {}): Promise<GroupView> {
    return this.#client.call("putGroup", { ...options, path: this.#path, body: settings });
  }

  /** Settings, and what the group has still to do. */
  info(options: CallOptions = {}): Promise<GroupView> {
    return this.#client.call("getGroup", { ...options, path: this.#path });
  }

  /** Has the group read from elsewhere: again, or past what is left. */
  seek(from: BodyOf<"seekGroup">["from"], options: CallOptions = {}): Promise<GroupView> {
    return this.#client.call("seekGroup", { ...options, path: this.#path, body: { from } });
  }

  /** Deletes the group; the messages stay for the others. */
  async delete(options: CallOptions = {}): Promise<void> {
    await this.#client.call("deleteGroup", { ...options, path: this.#path });
  }
}
