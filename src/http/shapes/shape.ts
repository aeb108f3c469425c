/** What is said of one operation. */
import type * as v from "valibot";

export interface Shape {
  readonly body?: v.GenericSchema;
  readonly query?: { readonly entries: Readonly<Record<string, v.GenericSchema>> };
  /** Status and what it means; the first one's body is `answer`, and so are the others'. */
  readonly statuses: Readonly<Record<number, string>>;
  readonly answer?: v.GenericSchema;
}
