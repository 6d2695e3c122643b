/** What is tried again, how often, when, and what became of a swap whose answer was lost. */
import { describe, expect, test } from "bun:test";
import { badAnswer, denied, lastingAnswer, missing, unreachable } from "../../../src/store/failures.ts";
import { createMemoryStore } from "../../../src/store/memory.ts";
import { retrying } from "../../../src/store/retrying.ts";
import type { RootState, Store } from "../../../src/store/store.ts";
import { type Fault, faults, faulty, type Request } from "./faulty.ts";
import { bytesOf, codeOf, listed, newKey, putMany, putNew } from "./objects.ts";

const quick = { baseMs: 1, maxMs: 2 };
const down = (retryAfterMs?: number): Error => unreachable("memory:", "is down", undefined, undefined, retryAfterMs);
const lost = (when: Fault["when"]): Fault => ({ when, error: down() });
const before = lost("before");
const after = lost("after");

/** A store that fails so, and how often each request came. */
function failing(memory: Store, decide: (request: Request) => Fault | undefined) {
  const asked = new Map<Request, number>();
  const store = faulty(memory, (request) => {
    asked.set(request, (asked.get(request) ?? 0) + 1);
    return decide(request);
  });
  return { store, asked };
}

const root = async (store: Store): Promise<RootState> => (await store.root.read()) as RootState;

describe("each request", () => {
  test("is made until it succeeds, be it lost on the way there or back", async () => {
    const memory = createMemoryStore();
    const bytes = bytesOf(100, 1);
    const key = await putNew(memory, bytes);
    const requests: [Request, (store: Store) => Promise<unknown>, unknown][] = [
      ["size", (store) => store.blobs.size(key), 100],
      ["get", (store) => store.blobs.get(key, { maxBytes: 100 }), bytes],
      ["put", (store) => store.blobs.put(key, bytes), undefined],
      ["read", (store) => store.root.read(), undefined],
      ["capabilities", (store) => store.capabilities(), { writers: "many" }],
      ["delete", (store) => store.blobs.delete(key), undefined],
    ];
    for (const [request, action, expected] of requests) {
      const { store, asked } = failing(
        memory,
        faults([before, after, { when: "before", error: badAnswer("memory:", "is odd") }]),
      );
      expect(await action(retrying(store, quick))).toEqual(expected);
      expect([...asked]).toEqual([[request, 4]]);
    }
  });

  test("is made five times at most, and fails with the last error", async () => {
    const errors = Array.from({ length: 9 }, (_, n) => unreachable("memory:", `is down, ${n}`));
    const { store, asked } = failing(createMemoryStore(), faults(errors.map((error) => ({ when: "before", error }))));
    expect(
      await retrying(store, quick)
        .root.read()
        .catch((error: unknown) => error),
    ).toBe(errors[4]);
    expect(asked.get("read")).toBe(5);
  });

  test("is not made again where that cannot help", async () => {
    const memory = createMemoryStore();
    const key = await newKey(memory, bytesOf(10, 1));
    const final = [
      missing("memory:", key),
      denied("memory:", "do that", "ask"),
      lastingAnswer("memory:", "is too long"),
      new Error("a defect"),
      new DOMException("stopped", "AbortError"),
    ];
    for (const error of final) {
      const { store, asked } = failing(memory, faults([{ when: "before", error }]));
      expect(
        await retrying(store, quick)
          .blobs.size(key)
          .catch((problem: unknown) => problem),
      ).toBe(error);
      expect(asked.get("size")).toBe(1);
    }
  });
});

describe("pauses", () => {
  const timed = async (options: Parameters<typeof retrying>[1], list: (Fault | undefined)[]): Promise<number> => {
    const start = performance.now();
    await retrying(faulty(createMemoryStore(), faults(list)), options).root.read();
    return performance.now() - start;
  };

  test("grow, and are at least half as long as they may be", async () => {
    const ms = await timed({ baseMs: 40 }, [before, before]);
    expect(ms).toBeGreaterThan(20 + 40 - 5);
  });

  test("are as long as the server asks", async () => {
    expect(await timed(quick, [{ when: "before", error: down(120) }])).toBeGreaterThan(115);
  });

  test("end before the time for all of it is over", async () => {
    const { store, asked } = failing(createMemoryStore(), () => ({ when: "before", error: down(10_000_000) }));
    const start = performance.now();
    expect(await codeOf(retrying(store, { ...quick, totalMs: 20_000 }).root.read())).toBe("CSP_STORE_UNREACHABLE");
    expect(asked.get("read")).toBe(1);
    expect(performance.now() - start).toBeLessThan(5000);
  });

  test.each(["before", "during"])("are ended by the caller (%s)", async (moment) => {
    const controller = new AbortController();
    const { store, asked } = failing(createMemoryStore(), () => {
      if (moment === "before") controller.abort(new Error("enough"));
      else queueMicrotask(() => setTimeout(() => controller.abort(new Error("enough")), 5));
      return before;
    });
    const patient = retrying(store, { baseMs: 10_000, signal: controller.signal });
    await expect(patient.root.read()).rejects.toThrow("enough");
    expect(asked.get("read")).toBe(1);
  });
});

describe("a swap", () => {
  const only: Request[] = ["swap"];

  test("whose request was lost is made again", async () => {
    const memory = createMemoryStore();
    const { store, asked } = failing(memory, faults([before], only));
    const version = await retrying(store, quick).root.swap(undefined, "mine");
    expect(await root(memory)).toEqual({ version: version as string, text: "mine" });
    expect(asked.get("swap")).toBe(2);
  });

  test("whose answer was lost is not made again, and gives the version it made", async () => {
    const memory = createMemoryStore();
    const first = await memory.root.swap(undefined, "first");
    const { store, asked } = failing(memory, faults([after], only));
    const version = await retrying(store, quick).root.swap(first, "mine");
    expect(await root(memory)).toEqual({ version: version as string, text: "mine" });
    expect(asked.get("swap")).toBe(1);
  });

  test("whose root cannot be read at first either", async () => {
    const memory = createMemoryStore();
    const { store, asked } = failing(memory, faults([after, before, after]));
    const version = await retrying(store, quick).root.swap(undefined, "mine");
    expect(await root(memory)).toEqual({ version: version as string, text: "mine" });
    expect([...asked]).toEqual([
      ["swap", 1],
      ["read", 3],
    ]);
  });

  test("that somebody else won meanwhile is refused, and changes nothing", async () => {
    const memory = createMemoryStore();
    const first = await memory.root.swap(undefined, "first");
    let theirs: string | undefined;
    const meddling: Store = {
      ...memory,
      root: {
        ...memory.root,
        async swap(expected) {
          theirs = await memory.root.swap(expected, "theirs");
          throw down();
        },
      },
    };
    expect(await retrying(meddling, quick).root.swap(first, "mine")).toBeUndefined();
    expect(await root(memory)).toEqual({ version: theirs as string, text: "theirs" });
  });

  test("that arrives late, behind its own repetition's back, is seen to be ours", async () => {
    const memory = createMemoryStore();
    let calls = 0;
    const slow: Store = {
      ...memory,
      root: {
        ...memory.root,
        async swap(expected, text) {
          if (++calls === 1) throw down();
          await memory.root.swap(expected, text);
          return memory.root.swap(expected, text);
        },
      },
    };
    const version = await retrying(slow, quick).root.swap(undefined, "mine");
    expect(await root(memory)).toEqual({ version: version as string, text: "mine" });
  });

  test("to the text that is there already is made, not taken for done", async () => {
    const memory = createMemoryStore();
    const first = await memory.root.swap(undefined, "same");
    const { store } = failing(memory, faults([before], only));
    const version = await retrying(store, quick).root.swap(first, "same");
    expect(version).not.toBe(first);
    expect(await root(memory)).toEqual({ version: version as string, text: "same" });
  });

  test("without any error is asked for once, and a refusal is believed", async () => {
    const memory = createMemoryStore();
    await memory.root.swap(undefined, "mine");
    const { store, asked } = failing(memory, () => undefined);
    expect(await retrying(store, quick).root.swap(undefined, "mine")).toBeUndefined();
    expect([...asked]).toEqual([["swap", 1]]);
  });
});

describe("a listing", () => {
  const paged = (memory: Store): Store => ({
    ...memory,
    blobs: {
      ...memory.blobs,
      async *list() {
        for await (const page of memory.blobs.list())
          for (let at = 0; at < page.length; at += 3) yield page.slice(at, at + 3);
      },
    },
  });

  test("that breaks off is gone through anew, and every object is given once", async () => {
    const memory = createMemoryStore();
    const sizes = await putMany(memory, 10);
    const { store } = failing(paged(memory), faults([undefined, before, undefined, undefined, after], ["list"]));
    const keys: string[] = [];
    for await (const page of retrying(store, quick).blobs.list()) keys.push(...page.map(({ key }) => key));
    expect(keys.sort()).toEqual([...sizes.keys()].sort());
  });

  test("that always breaks off at the same place ends with the error", async () => {
    const memory = createMemoryStore();
    await putMany(memory, 10);
    let pages = 0;
    const store = faulty(paged(memory), () => (++pages % 3 === 0 ? before : undefined));
    expect(await codeOf(listed(retrying(store, quick)))).toBe("CSP_STORE_UNREACHABLE");
    expect(pages).toBeLessThan(30);
  });

  test("does not take an error of its reader for one of the store", async () => {
    const memory = createMemoryStore();
    await putMany(memory, 10);
    const { store, asked } = failing(paged(memory), () => undefined);
    const read = async (): Promise<void> => {
      for await (const _ of retrying(store, quick).blobs.list()) throw down();
    };
    expect(await codeOf(read())).toBe("CSP_STORE_UNREACHABLE");
    expect(asked.get("list")).toBe(1);
  });
});
