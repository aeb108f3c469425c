/** The program of a worker process: schedules in, reports out, until its parent has no more. */
import { work } from "./crew.ts";

work();
