/** The root of a served store: one look at a time, however many ask, and word of changes for those who wait. */
import type { RootState, Store, Version } from "../../store/store.ts";
import { batched } from "./batch.ts";

export interface RootFeed {
  /** The root as it was at some moment after the call. Throws what the store throws. */
  read(): Promise<RootState | undefined>;
  swap(expected: Version | undefined, text: string): Promise<Version | undefined>;
  /** True as soon as the root may be another than `version`: look again then. False after `ms`, and with `over`. */
  changed(version: Version, ms: number, over: Promise<void>): Promise<boolean>;
  /** How many wait. */
  waiting(): number;
  /** Nobody waits any more, now and later. */
  end(): void;
  ended(): boolean;
}

/** How long a store that can tell of changes is asked to wait for one. */
const watchMs = 20_000;

/** `pollMs`: how often a store that cannot tell is looked at while somebody waits. */
export function createRootFeed(root: Store["root"], pollMs: number): RootFeed {
  const waiters = new Set<(changed: boolean) => void>();
  let last: RootState | undefined;
  let watching = false;
  let ended = false;

  const wakeAll = (): void => {
    for (const wake of [...waiters]) wake(true);
  };
  const look = async (wait: number): Promise<RootState | undefined> => {
    const had = last;
    const state = await root.read(had?.version, { wait });
    if (state === "unchanged") return had;
    // This may be older than what a swap left here meanwhile; then the next look, which begins later, puts it right.
    last = state;
    return state;
  };
  const watch = async (): Promise<void> => {
    watching = true;
    while (waiters.size > 0 && !ended) {
      const before = last?.version;
      const started = performance.now();
      const version = await look(watchMs).then(
        (state) => state?.version,
        // Those who wait look themselves, and tell the failure.
        () => undefined,
      );
      if (version !== before || version === undefined) wakeAll();
      const pause = pollMs - (performance.now() - started);
      if (pause > 0) await Bun.sleep(pause);
    }
    watching = false;
  };

  return {
    read: batched(() => look(0)),
    async swap(expected, text) {
      const version = await root.swap(expected, text);
      if (version === undefined) return undefined;
      last = { version, text };
      wakeAll();
      return version;
    },
    changed(version, ms, over) {
      if (ended || last?.version !== version) return Promise.resolve(true);
      return new Promise((resolve) => {
        const wake = (changed: boolean): void => {
          clearTimeout(timer);
          waiters.delete(wake);
          resolve(changed);
        };
        const timer = setTimeout(wake, ms, false);
        waiters.add(wake);
        void over.then(() => wake(false));
        if (!watching) void watch();
      });
    },
    waiting: () => waiters.size,
    end() {
      ended = true;
      wakeAll();
    },
    ended: () => ended,
  };
}
