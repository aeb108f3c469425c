/** How far a long command has come: a line on standard error, where people read both. */
import { Presets, SingleBar } from "cli-progress";
import type { Output } from "./output.ts";

export interface Progress {
  /** @param text what stands beside the bar */
  readonly show: (done: number, text: string, total?: number) => void;
  readonly end: () => void;
}

const NONE: Progress = { show: () => {}, end: () => {} };

/** @param total what `done` grows to; absent: nobody knows, and no bar is drawn */
export function progressOn(out: Output, total?: number): Progress {
  if (!out.isLive || !process.stderr.isTTY) return NONE;
  const bar = new SingleBar(
    {
      format: total === undefined ? "{text}" : "{bar} {text}{left}",
      barsize: 28,
      hideCursor: true,
      stream: process.stderr,
    },
    Presets.shades_classic,
  );
  const startedAt = performance.now();
  bar.start(total ?? 0, 0, { text: "", left: "" });
  return {
    show(done, text, most = total ?? 0) {
      const seconds = (performance.now() - startedAt) / 1_000;
      const left = Math.ceil((seconds / done) * (most - done));
      if (total !== undefined) bar.setTotal(most);
      bar.update(done, { text, left: done > 0 && left > 0 ? `, ${left} s left` : "" });
    },
    end: () => bar.stop(),
  };
}
