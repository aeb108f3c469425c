import { randomUUID } from "node:crypto";

/** A partition that no other test uses: engines are shared by a whole file. */
export const freshPk = (): string => `log#${randomUUID()}#0`;
