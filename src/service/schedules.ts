/**
 * Recurring schedules: their life, and their firing.
 *
 * V5  A due time fires once, whoever fires it: its message has a dedup id made of the schedule and the
 *     due time, which is remembered for two days. Only then does the schedule go on, conditional on what
 *     was read; so a crash in between fires the same again, to no effect.
 */
import { isLaneError, LaneError } from "../core/errors.ts";
import type { OutgoingMessage } from "../core/message.ts";
import { invalid } from "../core/invalid.ts";
import { dueAfter, recurrenceError } from "../core/recurrence.ts";
import { firingOf } from "../core/schedule.ts";
import type { Schedule, ScheduleSettings } from "../core/schedule.ts";
import { epochMs } from "../core/types.ts";
import type { EpochMs, ScheduleName } from "../core/types.ts";
import { scheduleKey, SCHEDULES } from "../store/keys.ts";
import { absent, all, equal, exists, remove, set } from "../store/port.ts";
import type { Item } from "../store/port.ts";
import type { Catalog } from "./catalog.ts";
import { randomId } from "./deps.ts";
import type { Deps } from "./deps.ts";
import type { Publisher } from "./publish.ts";
import type { Routing } from "./routing.ts";
import type { Sender } from "./send.ts";

const ATTEMPTS = 5;
const PAGE = 50;
/** A firing that was interrupted is made again within minutes; an outage may last longer. */
const REMEMBERED_SECONDS = 2 * 86_400;
/** What another instance changed is known after this long where nothing is known to be due. */
const LISTED_MS = 30_000;

export class Schedules {
  readonly #deps: Deps;
  readonly #catalog: Catalog;
  readonly #routing: Routing;
  readonly #sender: Sender;
  readonly #publisher: Publisher;
  #known: { readonly nextAt: number; readonly seenAt: EpochMs } | undefined;

  constructor(
    deps: Deps,
    catalog: Catalog,
    routing: Routing,
    sender: Sender,
    publisher: Publisher,
  ) {
    this.#deps = deps;
    this.#catalog = catalog;
    this.#routing = routing;
    this.#sender = sender;
    this.#publisher = publisher;
  }

  /** Makes the schedule, or makes it this; another recurrence counts from now. */
  async put(
    name: ScheduleName,
    settings: ScheduleSettings,
  ): Promise<{ created: boolean; schedule: Schedule }> {
    const error = recurrenceError(settings.recurrence, this.#deps.clock.now());
    if (error !== undefined) throw invalid([{ path: error.field, message: error.message }]);
    await this.#checkTarget(settings);
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const found = await this.#find(name);
      const now = this.#deps.clock.now();
      const isSame =
        found !== undefined &&
        JSON.stringify(found.recurrence) === JSON.stringify(settings.recurrence);
      const schedule: Schedule = {
        ...settings,
        name,
        scheduleId: found?.scheduleId ?? randomId(this.#deps, 12),
        createdAt: found?.createdAt ?? now,
        since: isSame ? found.since : now,
        nextAt: isSame ? found.nextAt : dueAfter(settings.recurrence, now, now),
        version: (found?.version ?? 0) + 1,
      };
      const guard =
        found === undefined
          ? absent("pk")
          : all(equal(["scheduleId"], found.scheduleId), equal(["version"], found.version));
      const { ok, ...result } = await this.#deps.store.put("catalog", itemOf(schedule), guard);
      this.#known = undefined;
      const isOurs =
        "found" in result && result.found?.["scheduleId"] === schedule.scheduleId && !found;
      if (ok || isOurs) return { created: found === undefined, schedule };
    }
    throw new LaneError("throttled", `The schedule "${name}" is being changed by others.`);
  }

  /** @throws LaneError `schedule-not-found` */
  async get(name: ScheduleName): Promise<Schedule> {
    const schedule = await this.#find(name);
    if (schedule === undefined) throw noSchedule(name);
    return schedule;
  }

  async list(request: {
    limit: number;
    after?: ScheduleName;
  }): Promise<{ schedules: readonly Schedule[]; next?: ScheduleName }> {
    const page = await this.#deps.store.query("catalog", SCHEDULES, {
      ...(request.after === undefined ? {} : { from: `${request.after}\0` }),
      limit: request.limit,
      consistent: true,
    });
    const schedules = page.items.map(parseSchedule);
    const last = schedules.at(-1);
    return page.more && last !== undefined ? { schedules, next: last.name } : { schedules };
  }

  async delete(name: ScheduleName): Promise<void> {
    const { ok } = await this.#deps.store.delete("catalog", scheduleKey(name), exists("pk"));
    if (!ok) throw noSchedule(name);
    this.#known = undefined;
  }

  /** Fires what is due; gives how many due times that were. Never throws for one schedule's sake. */
  async fire(deadline: EpochMs): Promise<number> {
    const { clock, store } = this.#deps;
    let fired = 0;
    let nextAt = Number.POSITIVE_INFINITY;
    const seenAt = clock.now();
    let from: string | undefined;
    do {
      const page = await store.query("catalog", SCHEDULES, {
        ...(from === undefined ? {} : { from: `${from}\0` }),
        limit: PAGE,
        consistent: true,
      });
      for (const item of page.items) {
        const done = clock.now() < deadline ? await this.#fire(parseSchedule(item)) : undefined;
        fired += done?.count ?? 0;
        nextAt = Math.min(nextAt, done === undefined ? seenAt : (done.nextAt ?? nextAt));
      }
      from = page.more ? page.items.at(-1)?.sk : undefined;
    } while (from !== undefined && clock.now() < deadline);
    this.#known = { nextAt, seenAt };
    return fired;
  }

  /** The same, for who asks each second: it looks only when something is known to be due, or little is known. */
  async tick(deadline: EpochMs): Promise<number> {
    const now = this.#deps.clock.now();
    const known = this.#known;
    const isIdle =
      known !== undefined && known.nextAt > now && Math.abs(now - known.seenAt) < LISTED_MS;
    return isIdle ? 0 : this.fire(deadline);
  }

  async #fire(
    schedule: Schedule,
  ): Promise<{ count: number; nextAt: EpochMs | undefined } | undefined> {
    const now = this.#deps.clock.now();
    const { due, nextAt } = firingOf(schedule, now);
    if (nextAt === schedule.nextAt) return { count: 0, nextAt };
    try {
      await this.#send(schedule, due);
    } catch (error) {
      if (!isLaneError(error)) throw error;
      this.#deps.onEvent?.({ type: "scheduleFailed", schedule: schedule.name, error });
      // What may succeed is tried again; what cannot must not hold up the due times to come.
      if (error.retryable || error.code === "outcome-unknown") return undefined;
    }
    try {
      const { ok } = await this.#deps.store.update(
        "catalog",
        scheduleKey(schedule.name),
        [
          nextAt === undefined ? remove("nextAt") : set(["nextAt"], nextAt),
          set(["version"], schedule.version + 1),
        ],
        all(equal(["scheduleId"], schedule.scheduleId), equal(["version"], schedule.version)),
      );
      return ok ? { count: due.length, nextAt } : undefined;
    } catch (error) {
      if (!isLaneError(error)) throw error;
      return undefined;
    }
  }

  /** @throws LaneError the first of what went wrong, those first that may succeed later. */
  async #send(schedule: Schedule, due: readonly EpochMs[]): Promise<void> {
    if (due.length === 0) return;
    const { target } = schedule;
    const messages = due.map((at) => messageOf(schedule, at));
    const options = { rememberSeconds: REMEMBERED_SECONDS };
    const results =
      "queue" in target
        ? await this.#sender.send(target.queue, messages, options)
        : await this.#publisher.publish(target.exchange, messages, options);
    const errors = results.flatMap((result) => ("error" in result ? [result.error] : []));
    const worst = errors.find(({ retryable }) => retryable) ?? errors[0];
    if (worst !== undefined) throw new LaneError(worst.code, worst.detail);
  }

  async #find(name: ScheduleName): Promise<Schedule | undefined> {
    const item = await this.#deps.store.get("catalog", scheduleKey(name), { consistent: true });
    return item === undefined ? undefined : parseSchedule(item);
  }

  async #checkTarget({ target, message }: ScheduleSettings): Promise<void> {
    if ("exchange" in target) {
      await this.#routing.exchange(target.exchange);
      return;
    }
    const { settings } = await this.#catalog.fresh(target.queue);
    if (settings.order === "key" && message.key === undefined)
      throw new LaneError("invalid-request", `The queue "${target.queue}" keeps order by key.`, {
        errors: [{ path: "message.key", message: "is required by the queue" }],
      });
  }
}

/** V5. Two due times of a schedule differ in this only. */
function messageOf({ name, scheduleId, message, target }: Schedule, at: EpochMs): OutgoingMessage {
  return {
    ...message,
    ...("exchange" in target ? { routingKey: target.routingKey } : {}),
    headers: {
      ...message.headers,
      "lane-schedule": name,
      "lane-due-at": new Date(at).toISOString(),
    },
    dedupId: `schedule#${scheduleId}#${at}`,
  };
}

function itemOf(schedule: Schedule): Item {
  const { name, scheduleId, createdAt, since, nextAt, version } = schedule;
  const { recurrence, target, onMissed } = schedule;
  const { body, ...rest } = schedule.message;
  return {
    ...scheduleKey(name),
    scheduleId,
    settings: JSON.stringify({ recurrence, target, onMissed, message: rest }),
    body,
    createdAt,
    since,
    ...(nextAt === undefined ? {} : { nextAt }),
    version,
  };
}

function parseSchedule(item: Item): Schedule {
  const settings = JSON.parse(item["settings"] as string) as Omit<ScheduleSettings, "message"> & {
    message: Omit<OutgoingMessage, "body">;
  };
  return {
    ...settings,
    message: { ...settings.message, body: item["body"] as Uint8Array },
    name: item.sk as ScheduleName,
    scheduleId: item["scheduleId"] as string,
    createdAt: epochMs(item["createdAt"] as number),
    since: epochMs(item["since"] as number),
    nextAt: item["nextAt"] === undefined ? undefined : epochMs(item["nextAt"] as number),
    version: item["version"] as number,
  };
}

const noSchedule = (name: ScheduleName): LaneError =>
  new LaneError("schedule-not-found", `There is no schedule "${name}".`);
