/** Following a channel: a sync whenever it moves, and patience with stores that do not answer. */
import { type CspError, isCspError } from "../core/errors.ts";
import type { Store } from "../store/store.ts";
import type { Context } from "./context.ts";
import { applySync, type SyncOptions, type SyncOutcome } from "./sync.ts";

export interface WatchOptions extends SyncOptions {
  /** Milliseconds between two looks; stores that can tell of changes are asked to wait that long. */
  intervalMs: number;
  /** A pause is longer by up to this many milliseconds, at random, so that a fleet does not ask in step. */
  jitterMs: number;
}

/** What happened, told once: syncs that found nothing new are not told. */
export type WatchEvent =
  | { kind: "synced"; outcome: SyncOutcome }
  | { kind: "failing"; error: CspError; retryMs: number }
  | { kind: "recovered" };

/** The pause after something changed, at most: more changes may follow at once. */
const longestBreathMs = 250;
const shortestRetryMs = 1000;
const longestRetryMs = 5 * 60_000;

/**
 * Syncs until the context's signal ends it, whose reason it throws. Errors that a later try may mend, and those that
 * somebody may mend at the store, are told once and tried again with growing pauses; scripts keep running meanwhile.
 */
export async function watchChannel(
  ctx: Context,
  store: Store,
  options: WatchOptions,
  tell: (event: WatchEvent) => Promise<void>,
): Promise<never> {
  let failures = 0;
  let told = "";
  let first = true;
  let seen = "";
  for (;;) {
    const started = performance.now();
    try {
      // Whether the store answers is to be known at once, not when something changes there.
      const asks = first || failures > 0 ? options : { ...options, wait: options.intervalMs };
      const outcome = await applySync(ctx, store, asks);
      if (failures > 0) await tell({ kind: "recovered" });
      const { step, hold, target } = outcome.plan;
      const news = step === "held" ? `held ${hold?.hash} ${hold?.since}` : `${step} ${target.hash}`;
      if (first || outcome.switched || (step !== "nothing" && news !== told)) await tell({ kind: "synced", outcome });
      told = news;
      failures = 0;
      first = false;
      // A publication changes the root several times, and its last change is the one that counts: go on listening.
      const state = `${target.state.store} ${target.state.generation}`;
      const isNew = state !== seen;
      seen = state;
      const rest = Math.max(0, options.intervalMs - (performance.now() - started));
      const jitter = Math.random() * (isNew ? Math.min(options.jitterMs, longestBreathMs) : options.jitterMs);
      await pause(ctx.signal, (isNew ? 0 : rest) + jitter);
    } catch (error) {
      ctx.signal.throwIfAborted();
      if (!isCspError(error)) throw error;
      const limit = Math.min(longestRetryMs, Math.max(options.intervalMs, shortestRetryMs) * 2 ** failures);
      const retryMs = limit * (0.75 + Math.random() / 2);
      if (failures === 0 || told !== error.message) await tell({ kind: "failing", error, retryMs });
      told = error.message;
      failures = Math.min(failures + 1, 10);
      await pause(ctx.signal, retryMs);
    }
  }
}

function pause(signal: AbortSignal, ms: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    if (signal.aborted) return reject(signal.reason);
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", end);
      resolve();
    }, ms);
    signal.addEventListener("abort", end, { once: true });
  });
}
