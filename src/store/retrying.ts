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
 * Repeats what failed with CSP_STORE_UNREACHABLE, or with a CSP_STORE_ANSWER that is not lasting, after growing pauses of
 * random length or as long as `retryAfterMs` in the error's data says. A swap whose answer was lost is looked for in the root
 * by its text, so it is not done twice and its success is seen. Where somebody changed the root once more in between it
 * counts as refused though it happened; the caller, who then reads the root anew, must be able to tell from its contents.
 */
export function retrying(store: Store, options: RetryOptions = {}): Store {
  const again = async <T>(action: (attempt: number) => Promise<T>): Promise<T> => {
    const patience = createPatience(options);
    for (let attempt = 0; ; attempt++) {
      try {
        return await action(attempt);
      } catch (error) {
        await patience.after(error);
      }
    }
  };

  const swap = (expected: Version | undefined, text: string): Promise<Version | undefined> =>
    again(async (attempt) => {
      if (attempt > 0) {
        const state = await store.root.read();
        const present = typeof state === "object" ? state : undefined;
        if (present?.version !== expected) return present?.text === text ? present.version : undefined;
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
      list: () => listAgain(store, options),
      delete: (key) => again(() => store.blobs.delete(key)),
    },
    root: {
      read: (known, waiting) => again(() => store.root.read(known, waiting)),
      swap,
    },
    capabilities: () => again(() => store.capabilities()),
  };
}

/**
 * After a failure the listing begins anew, without what was given already: no kind can go on where another listing ended.
 * What counts as a success is a page with something new.
 */
async function* listAgain(store: Store, options: RetryOptions): AsyncGenerator<readonly StoredObject[]> {
  const given = new Set<string>();
  let patience = createPatience(options);
  for (;;) {
    try {
      for await (const page of store.blobs.list()) {
        const fresh = page.filter(({ key }) => !given.has(key));
        if (fresh.length === 0) continue;
        for (const { key } of fresh) given.add(key);
        patience = createPatience(options);
        yield fresh;
      }
      return;
    } catch (error) {
      await patience.after(error);
    }
  }
}

interface Patience {
  /** Waits before the next try, or throws the error where there is none. */
  after(error: unknown): Promise<void>;
}

function createPatience(options: RetryOptions): Patience {
  const { tries = 5, totalMs = 60_000 } = options;
  const start = performance.now();
  let failures = 0;
  return {
    async after(error) {
      const pause = pauseAfter(error, failures++, options);
      if (!mayPass(error) || failures >= tries || performance.now() - start + pause > totalMs) throw error;
      await sleep(pause, options.signal);
    },
  };
}

function mayPass(error: unknown): error is Error {
  if (isCspError(error, "CSP_STORE_UNREACHABLE")) return true;
  return isCspError(error, "CSP_STORE_ANSWER") && error.data.lasting !== true;
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
