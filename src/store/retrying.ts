/** A store that tries again: failures that may pass cost time first, and an error only when they do not. */
import { isCspError } from "../core/errors.ts";
import type { Store, StoredObject, Version } from "./store.ts";

export interface RetryOptions {
  /** How often one request is made at most. Default 5. */
  tries?: number;
  /** The first pause, the longest one, and after how long no further try begins. Default 200 ms, 10 s, 60 s. */
  baseMs?: number;
  maxMs?: number;
  totalMs?: number;
  /** Ends a pause; its reason is thrown. */
  signal?: AbortSignal | undefined;
}

/** What a server asks for with Retry-After counts up to here. */
const longestRetryAfterMs = 30_000;

/**
 * Repeats what failed with CSP_STORE_UNREACHABLE or CSP_STORE_ANSWER, after growing pauses of random length or as long as
 * `retryAfterMs` in the error's data says. A swap whose answer was lost is looked for in the root, so it is never done twice
 * and its success is seen, unless somebody changed the root once more in between: then it counts as lost, which the
 * caller, who reads the root anew, can tell from its contents.
 */
export function retrying(store: Store, options: RetryOptions = {}): Store {
  const { tries = 5, totalMs = 60_000 } = options;

  const again = async <T>(action: (attempt: number) => Promise<T>): Promise<T> => {
    const start = performance.now();
    for (let attempt = 0; ; attempt++) {
      try {
        return await action(attempt);
      } catch (error) {
        if (!mayPass(error) || attempt + 1 >= tries) throw error;
        const pause = pauseAfter(error, attempt, options);
        if (performance.now() - start + pause > totalMs) throw error;
        await sleep(pause, options.signal);
      }
    }
  };

  const swap = (expected: Version | undefined, text: string): Promise<Version | undefined> =>
    again(async (attempt) => {
      if (attempt > 0) {
        const state = await store.root.read();
        const present = typeof state === "object" ? state : undefined;
        if (present?.text === text) return present.version;
        if (present?.version !== expected) return undefined;
      }
      const version = await store.root.swap(expected, text);
      if (version !== undefined || attempt === 0) return version;
      // The first request may have arrived after all, only late.
      const state = await store.root.read();
      return typeof state === "object" && state.text === text ? state.version : undefined;
    });

  return {
    ...store,
    blobs: {
      size: (key) => again(() => store.blobs.size(key)),
      get: (key, limit) => again(() => store.blobs.get(key, limit)),
      put: (key, bytes) => again(() => store.blobs.put(key, bytes)),
      list: () => listAgain(store, again),
      delete: (key) => again(() => store.blobs.delete(key)),
    },
    root: {
      read: (known, waiting) => again(() => store.root.read(known, waiting)),
      swap,
    },
    capabilities: () => again(() => store.capabilities()),
  };
}

/** After a failure the listing begins anew, without what was given already: no kind can go on where another listing ended. */
async function* listAgain(
  store: Store,
  again: <T>(action: (attempt: number) => Promise<T>) => Promise<T>,
): AsyncGenerator<readonly StoredObject[]> {
  const given = new Set<string>();
  let pages = store.blobs.list()[Symbol.asyncIterator]();
  try {
    for (;;) {
      const { done, value } = await again((attempt) => {
        if (attempt > 0) pages = store.blobs.list()[Symbol.asyncIterator]();
        return pages.next();
      });
      if (done) return;
      const fresh = value.filter(({ key }) => !given.has(key));
      for (const { key } of fresh) given.add(key);
      if (fresh.length > 0) yield fresh;
    }
  } finally {
    await pages.return?.();
  }
}

function mayPass(error: unknown): error is Error {
  return isCspError(error, "CSP_STORE_UNREACHABLE") || isCspError(error, "CSP_STORE_ANSWER");
}

function pauseAfter(error: unknown, attempt: number, { baseMs = 200, maxMs = 10_000 }: RetryOptions): number {
  const asked = isCspError(error) ? error.data.retryAfterMs : undefined;
  const pause = Math.min(maxMs, baseMs * 2 ** attempt) * (0.5 + Math.random() / 2);
  return typeof asked === "number" ? Math.max(pause, Math.min(asked, longestRetryAfterMs)) : pause;
}

function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const timer = setTimeout(finish, ms);
    function finish(): void {
      signal?.removeEventListener("abort", stop);
      resolve();
    }
    function stop(): void {
      clearTimeout(timer);
      reject(signal?.reason);
    }
    signal?.addEventListener("abort", stop, { once: true });
  });
}
