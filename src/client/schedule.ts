/** One recurring schedule: what it sends where, and when. */
import { bodyMembers } from "./message.ts";
import type { Client } from "./queue.ts";
import type { CallOptions } from "./transport.ts";
import type { AnswerOf, BodyOf, PathOf } from "./wire.ts";

type Json = BodyOf<"putSchedule">;

/** `cron` (with `timeZone`) or `everySeconds`; `queue` or `exchange`. */
export type ScheduleSettings<T = unknown> = Omit<Json, "message"> & {
  readonly message: Omit<Json["message"], "body" | "encoding"> & { readonly body: T | Uint8Array };
};
export type ScheduleView = AnswerOf<"getSchedule">;

export class Schedule {
  readonly name: string;
  readonly #client: Client;
  readonly #path: PathOf<"getSchedule">;

  constructor(client: Client, name: string) {
    this.name = name;
    this.#client = client;
    this.#path = { schedule: name };
  }

  /** Creates the schedule, or replaces it; another `cron` or interval counts from now. */
  create(settings: ScheduleSettings, options: CallOptions = {}): Promise<ScheduleView> {
    const { message } = settings;
    const body = { ...settings, message: { ...message, ...bodyMembers(message.body) } };
    return this.#client.call("putSchedule", { ...options, path: this.#path, body });
  }

  /** What it sends, and when it is due next. */
  info(options: CallOptions = {}): Promise<ScheduleView> {
    return this.#client.call("getSchedule", { ...options, path: this.#path });
  }

  /** Deletes the schedule; what it has sent stays. */
  async delete(options: CallOptions = {}): Promise<void> {
    await this.#client.call("deleteSchedule", { ...options, path: this.#path });
  }
}
