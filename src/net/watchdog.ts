/**
 * Time limits for many requests with one timer: each watched request has an idle limit, which every sign of life
 * renews, and a limit for the whole.
 */

export interface TimeLimits {
  /** Longest silence, also while waiting for the first byte. */
  idleMs: number;
  /** Longest duration of one request with its body. */
  totalMs: number;
}

export interface Watch {
  readonly signal: AbortSignal;
  /** Why the signal was aborted: a limit passed, or the caller's own signal. */
  readonly stopped: "idle" | "total" | "cancelled" | undefined;
  /** A sign of life. Cheap: called for every chunk. */
  touch(): void;
  /** The caller itself pauses: silence does not count until the next touch. */
  rest(): void;
  /** Ends the watch; to be called once the request is over, however it ended. */
  end(): void;
  /** Ends the watch and whatever still runs of the request. */
  abort(): void;
}

export interface Watchdog {
  /** `own` replaces limits for this request. */
  watch(own?: Partial<TimeLimits>): Watch;
}

interface Watched {
  limits: TimeLimits;
  started: number;
  active: number;
  stop(reason: "idle" | "total" | "cancelled"): void;
}

/** The timer runs only while something is watched and does not keep the process alive. */
export function createWatchdog(limits: TimeLimits, signal: AbortSignal | undefined): Watchdog {
  const watched = new Set<Watched>();
  const period = Math.min(1000, Math.max(5, Math.min(limits.idleMs, limits.totalMs) / 8));
  let timer: ReturnType<typeof setInterval> | undefined;

  const check = (): void => {
    const now = performance.now();
    for (const entry of watched) {
      if (now - entry.started > entry.limits.totalMs) entry.stop("total");
      else if (now - entry.active > entry.limits.idleMs) entry.stop("idle");
    }
  };
  signal?.addEventListener(
    "abort",
    () => {
      for (const entry of watched) entry.stop("cancelled");
    },
    { once: true },
  );

  return {
    watch(own) {
      const controller = new AbortController();
      const now = performance.now();
      let stopped: Watch["stopped"];
      const end = (): void => {
        watched.delete(entry);
        if (watched.size === 0 && timer !== undefined) {
          clearInterval(timer);
          timer = undefined;
        }
      };
      const entry: Watched = {
        limits: { ...limits, ...own },
        started: now,
        active: now,
        stop(reason) {
          stopped = reason;
          end();
          controller.abort();
        },
      };
      watched.add(entry);
      if (timer === undefined) {
        timer = setInterval(check, period);
        timer.unref();
      }
      if (signal?.aborted) entry.stop("cancelled");
      return {
        signal: controller.signal,
        get stopped() {
          return stopped;
        },
        touch() {
          entry.active = performance.now();
        },
        rest() {
          entry.active = Number.POSITIVE_INFINITY;
        },
        end,
        abort() {
          end();
          controller.abort();
        },
      };
    },
  };
}
