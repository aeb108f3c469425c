/**
 * What every function's instance is made of: the store on the tables that the environment names, the
 * service on it, and a logger. Made once, outside the handler, and reused while the instance lives.
 *
 * I1  No request is served before the stored format has been checked; a check that failed is made
 *     again with the next request.
 * I2  Bodies, receipts and keys are never logged: what is logged is named here and in the faces,
 *     field by field, and no event is.
 */
import { Logger } from "@aws-lambda-powertools/logger";
import { randomBytes } from "node:crypto";
import { LIMITS } from "../src/core/limits.ts";
import { type EpochMs, epochMs } from "../src/core/types.ts";
import type { Service } from "../src/service/api.ts";
import type { Deps, ServiceEvent } from "../src/service/deps.ts";
import type { SecretBox } from "../src/service/secret-box.ts";
import { createService } from "../src/service/service.ts";
import { sleep } from "../src/store/sleep.ts";
import { troubleOf } from "../src/service/trouble.ts";
import { createDynamoDbClient } from "../src/store/dynamodb-client.ts";
import { createDynamoDbStore } from "../src/store/dynamodb.ts";
import { checkFormat } from "../src/store/format.ts";
import { describeError } from "./describe-error.ts";

/** Two instances' clocks; Lambda's are kept within milliseconds of each other. */
const SKEW_MARGIN_MS = 1_000;

export interface Instance {
  readonly service: Service;
  readonly logger: Logger;
  readonly now: () => EpochMs;
  /** Resolves once the stored format is known to be one of ours (I1). */
  readonly ready: () => Promise<void>;
}

/** What an instance does not make itself: given by AWS, or by a test. */
export type World = Pick<
  Deps,
  "store" | "clock" | "sleep" | "random" | "randomBytes" | "secretBox"
>;

/** `createsFormat`: the function may write the catalog, and says there which format this is. */
export function createInstance(
  options: { createsFormat: boolean; secretBox?: SecretBox | undefined },
  world: World = awsWorld(options.secretBox),
): Instance {
  const logger = new Logger();
  const service = createService({
    ...world,
    skewMarginMs: SKEW_MARGIN_MS,
    relaxed: false,
    onEvent: (event) => logEvent(logger, event),
  });
  let check: Promise<void> | undefined;
  const ready = (): Promise<void> => {
    check ??= checkFormat(world.store, { create: options.createsFormat }).catch(
      (error: unknown) => {
        check = undefined;
        throw error;
      },
    );
    return check;
  };
  return { service, logger, now: () => world.clock.now(), ready };
}

function awsWorld(secretBox: SecretBox | undefined): World {
  const store = createDynamoDbStore({
    client: createDynamoDbClient({ requestTimeoutMs: LIMITS.requestTimeoutMs }),
    tables: {
      catalog: environment("LANEMQ_CATALOG_TABLE"),
      lanes: environment("LANEMQ_LANES_TABLE"),
    },
    sleep,
    random: Math.random,
  });
  return {
    store,
    clock: { now: () => epochMs(Date.now()) },
    sleep,
    random: Math.random,
    randomBytes,
    ...(secretBox === undefined ? {} : { secretBox }),
  };
}

export function environment(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === "") throw new Error(`The environment lacks ${name}.`);
  return value;
}

function logEvent(logger: Logger, event: ServiceEvent): void {
  const trouble = troubleOf(event);
  if (trouble !== undefined)
    logger.warn(trouble.text, { ...trouble.about, failure: describeError(trouble.error) });
  else if (event.type === "unroutable")
    logger.info("unroutable", { exchange: event.exchange, messages: event.messages });
  else logger.debug(event.type);
}
