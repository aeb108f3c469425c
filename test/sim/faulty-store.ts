/**
 * What an instance sees of the engine: the port, over a network where everything goes wrong that can.
 *
 * F1  A write is reported as the port promises (P3): `throttled` and `engine-unavailable` only where it
 *     was not and will not be applied; else its result, or `outcome-unknown` at the time-out.
 * F2  A query is no snapshot: the key it has reached says how far back in time each part was read.
 * F3  A request that has left is applied whatever becomes of its caller.
 */
import { LaneError } from "../../src/core/errors.ts";
import { LIMITS } from "../../src/core/limits.ts";
import type {
  Condition,
  Edit,
  Item,
  QueryPage,
  QueryRange,
  Store,
  TableName,
  WriteResult,
} from "../../src/store/port.ts";
import { cut, sorted } from "./engine.ts";
import type { Engine, Write } from "./engine.ts";
import type { FaultKind } from "./faults.ts";
import type { Ambush, Instance, World } from "./instance.ts";

/** A request that outlives its caller's time-out is applied at most this long after it left. */
export const APPLIED_LATE_MS = 60_000;

const COUNTED: Readonly<Record<Ambush["does"], FaultKind>> = {
  crash: "crash",
  freeze: "freeze",
  lost: "requestLost",
  late: "late",
  slow: "late",
  doubled: "doubled",
  unheard: "replyLost",
  throttled: "throttled",
  torn: "tornQuery",
};

export function createFaultyStore(world: World, engine: Engine, instance: Instance): Store {
  const { scheduler, random } = world;

  const hits = (kind: Exclude<FaultKind, "ttl">): boolean => {
    if (!random.chance(world.faults[kind])) return false;
    world.counts.add(kind);
    return true;
  };
  const way = (): number => world.faults.latencyMs * random.skewed(0.3, 3);

  /** Whether the request walks into what waits for its sort. */
  function meets(pk: string, sk: string | undefined, isWrite: boolean): Ambush | undefined {
    const { ambush } = world;
    if (ambush === undefined || !pk.startsWith(ambush.pk)) return undefined;
    if (ambush.sk !== undefined && ambush.sk !== sk) return undefined;
    if ((ambush.on === "writes" && !isWrite) || !random.chance(ambush.chance)) return undefined;
    if (ambush.once === true) world.ambush = undefined;
    world.counts.add(COUNTED[ambush.does]);
    world.met.set(ambush.does, scheduler.now);
    return ambush;
  }

  /** Time at which the request reaches the engine; `undefined`: the instance died before it left. */
  function leave(ambushed: Ambush | undefined): number | undefined {
    const arrivesAt = depart();
    if (arrivesAt === undefined) return undefined;
    if (ambushed?.does === "crash") scheduler.at(arrivesAt, () => instance.crash());
    if (ambushed?.does === "freeze") scheduler.at(arrivesAt, () => instance.ambushed(ambushed));
    return arrivesAt;
  }

  function depart(): number | undefined {
    if (hits("clockStep")) instance.stepClock();
    if (hits("freeze")) scheduler.after(way() * random.between(0, 2), () => instance.freeze());
    if (!hits("crash")) return scheduler.now + way();
    if (random.chance(0.3)) {
      instance.crash();
      return undefined;
    }
    scheduler.after(way() * random.between(0, 2), () => instance.crash());
    return scheduler.now + way();
  }

  function write(write: Write, what: "put" | "update" | "delete"): Promise<WriteResult> {
    return new Promise((resolve, reject) => {
      const line = (text: string): void =>
        world.trace?.(`${instance.name} ${what} ${write.key.pk} ${write.key.sk}: ${text}`);
      const fail = (
        code: "throttled" | "engine-unavailable" | "outcome-unknown",
        at: number,
      ): void => {
        instance.at(at, () => {
          line(code);
          reject(new LaneError(code, "simulated"));
        });
      };
      const reply = (result: Promise<WriteResult>, at: number): void => {
        result.then(
          (value) =>
            instance.at(at, () => {
              line(value.ok ? "ok" : "refused");
              resolve(value);
            }),
          (error: unknown) => instance.at(at, () => reject(error)),
        );
      };
      const timesOutAt = scheduler.now + LIMITS.requestTimeoutMs;
      const ambushed = meets(write.key.pk, write.key.sk, true);
      const arrivesAt = leave(ambushed);
      if (arrivesAt === undefined) return;
      if (ambushed?.does === "throttled" || hits("throttled"))
        return fail("throttled", arrivesAt + way());
      if (hits("unavailable")) return fail("engine-unavailable", arrivesAt + way());
      if (ambushed?.does === "lost" || hits("requestLost"))
        return fail("outcome-unknown", timesOutAt);
      if (ambushed?.does === "unheard" || hits("replyLost")) {
        scheduler.at(arrivesAt, () => void engine.writeUnheard(write));
        return fail("outcome-unknown", timesOutAt);
      }
      if (ambushed?.does === "slow") {
        const appliedAt = arrivesAt + random.between(100, 3_000);
        return scheduler.at(appliedAt, () => reply(engine.write(write), appliedAt + way()));
      }
      if (ambushed?.does === "late" || hits("late")) {
        const appliedAt =
          ambushed?.does === "late"
            ? timesOutAt + (ambushed.forMs ?? random.skewed(50, APPLIED_LATE_MS / 2))
            : arrivesAt + random.skewed(50, APPLIED_LATE_MS);
        if (appliedAt >= timesOutAt) {
          scheduler.at(appliedAt, () => {
            line("applied late");
            void engine.writeUnheard(write);
          });
          return fail("outcome-unknown", timesOutAt);
        }
        return scheduler.at(appliedAt, () => reply(engine.write(write), appliedAt + way()));
      }
      if (ambushed?.does === "doubled" || hits("doubled")) {
        const again = arrivesAt + random.skewed(1, LIMITS.requestTimeoutMs / 2);
        const hearsSecond = random.chance(0.5);
        scheduler.at(arrivesAt, () => {
          if (hearsSecond) void engine.writeUnheard(write);
          else reply(engine.write(write), arrivesAt + way());
        });
        return scheduler.at(again, () => {
          line("applied again");
          if (hearsSecond) reply(engine.write(write), again + way());
          else void engine.writeUnheard(write);
        });
      }
      return scheduler.at(arrivesAt, () => reply(engine.write(write), arrivesAt + way()));
    });
  }

  function read<T>(
    { pk, sk }: { readonly pk: string; readonly sk?: string },
    what: () => string,
    apply: (reply: (value: T) => void, ambushed: Ambush | undefined) => void,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      const fail = (code: "throttled" | "engine-unavailable", at: number): void =>
        instance.at(at, () => {
          world.trace?.(`${instance.name} ${what()}: ${code}`);
          reject(new LaneError(code, "simulated"));
        });
      const timesOutAt = scheduler.now + LIMITS.requestTimeoutMs;
      const ambushed = meets(pk, sk, false);
      const arrivesAt = leave(ambushed);
      if (arrivesAt === undefined) return;
      if (hits("throttled")) return fail("throttled", arrivesAt + way());
      if (hits("unavailable")) return fail("engine-unavailable", arrivesAt + way());
      if (ambushed?.does === "lost" || hits("requestLost") || hits("replyLost"))
        return fail("engine-unavailable", timesOutAt);
      const startsAt = hits("late")
        ? arrivesAt + random.skewed(50, LIMITS.requestTimeoutMs - 100)
        : arrivesAt;
      scheduler.at(startsAt, () =>
        apply(
          (value) =>
            instance.at(scheduler.now + way(), () => {
              world.trace?.(`${instance.name} ${what()}: read`);
              resolve(value);
            }),
          ambushed,
        ),
      );
    });
  }

  async function query(table: TableName, pk: string, asked: QueryRange): Promise<QueryPage> {
    const range = hits("shortPage")
      ? { ...asked, limit: Math.min(asked.limit ?? Infinity, random.int(1, 4)) }
      : asked;
    return read(
      { pk },
      () => `query ${pk} ${range.from ?? ""}..${range.to ?? ""}`,
      (reply, ambushed) => {
        const tearsMs = ambushed?.does === "torn" ? ambushed.forMs : undefined;
        if (!range.consistent && hits("staleRead")) {
          void engine.staleQuery(table, pk, range).then(reply);
        } else if (tearsMs !== undefined || hits("tornQuery")) {
          // Without its limit: where a limited page ends depends on what it is torn from.
          const { limit: _, ...whole } = range;
          void engine.query(table, pk, whole).then((first) =>
            scheduler.after(tearsMs ?? way() * random.between(0.1, 2), () => {
              void engine
                .query(table, pk, whole)
                .then((second) => reply(torn(first, second, range)));
            }),
          );
        } else {
          void engine.query(table, pk, range).then(reply);
        }
      },
    );
  }

  /** Up to some key as the first reading had it, from there on as the second. */
  function torn(first: QueryPage, second: QueryPage, range: QueryRange): QueryPage {
    if (first.more || second.more) return cut(second.items, range, second.more);
    const keys = [...new Set([...first.items, ...second.items].map((item) => item.sk))];
    if (keys.length === 0) return second;
    // Mostly within what came between the two, where holes show.
    const known = new Set(first.items.map((item) => item.sk));
    const fresh = keys.filter((key) => !known.has(key));
    const split = random.pick(fresh.length > 1 && random.chance(0.5) ? fresh : keys);
    const isEarly = (item: Item): boolean =>
      range.reverse === true ? item.sk > split : item.sk < split;
    const items = [
      ...first.items.filter(isEarly),
      ...second.items.filter((item) => !isEarly(item)),
    ];
    return cut(sorted(items, range), range, false);
  }

  return {
    get: (table, key, { consistent }) =>
      read(
        key,
        () => `get ${key.pk} ${key.sk}`,
        (reply) => {
          const stale = !consistent && hits("staleRead");
          reply(stale ? engine.staleGet(table, key) : engine.get(table, key));
        },
      ),
    query,
    put: (table, item, condition) =>
      write({ table, key: item, run: (store) => store.put(table, item, condition) }, "put"),
    update: (
      table,
      key,
      edits: readonly Edit[],
      condition?: Condition,
      options?: { wantOld?: boolean },
    ) =>
      write(
        { table, key, run: (store) => store.update(table, key, edits, condition, options) },
        "update",
      ),
    delete: (table, key, condition) =>
      write({ table, key, run: (store) => store.delete(table, key, condition) }, "delete"),
  };
}
