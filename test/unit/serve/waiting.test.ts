/** Waiting for a change, stores that fail behind the server, and stopping. */
import { afterEach, describe, expect, test } from "bun:test";
import { CspError } from "../../../src/core/errors.ts";
import { createRootFeed } from "../../../src/ops/serve/root.ts";
import { unreachable } from "../../../src/store/failures.ts";
import { createMemoryStore } from "../../../src/store/memory.ts";
import type { RootState, Store } from "../../../src/store/store.ts";
import { type ServedStore, type ServeTestOptions, serveOver } from "../../support/servers/serve.ts";
import { type Fault, faulty, type Request } from "../store/faulty.ts";
import { bytesOf, codeOf, newKey, putNew } from "../store/objects.ts";

const running: ServedStore[] = [];
afterEach(async () => {
  for (const served of running.splice(0)) await served.stop();
});

async function serve(store: Store, options: ServeTestOptions = {}): Promise<ServedStore> {
  const served = await serveOver(store, options);
  running.push(served);
  return served;
}

/** The same store for somebody who cannot be told of changes, and how often it was looked at. */
function untold(store: Store): Store & { looks: number } {
  const counting = {
    ...store,
    looks: 0,
    root: {
      ...store.root,
      read: (known?: string) => {
        counting.looks++;
        return store.root.read(known);
      },
    },
  };
  return counting;
}

describe("whoever waits", () => {
  test("is told of a change through the server, and of one behind its back, at once", async () => {
    for (const wrap of [(store: Store) => store, untold]) {
      const memory = createMemoryStore();
      const served = await serve(wrap(memory));
      const client = served.client();
      let version = (await client.root.swap(undefined, "0")) as string;
      for (const [n, root] of [client.root, memory.root, client.root, memory.root].entries()) {
        const begun = performance.now();
        const waiting = Array.from({ length: 20 }, () => served.client().root.read(version, { wait: 20_000 }));
        await Bun.sleep(20);
        const known = root === memory.root ? ((await memory.root.read()) as RootState).version : version;
        expect(await root.swap(known, String(n + 1))).toBeDefined();
        const states = (await Promise.all(waiting)) as RootState[];
        expect(performance.now() - begun).toBeLessThan(1000);
        for (const { text } of states) expect(text).toBe(String(n + 1));
        version = states[0]?.version as string;
      }
    }
  });

  test("hears after its time that nothing changed", async () => {
    const served = await serve(createMemoryStore(), { limits: { waitMs: 300 } });
    const client = served.client();
    const version = await client.root.swap(undefined, "{}");
    const begun = performance.now();
    expect(await client.root.read(version, { wait: 1000 })).toBe("unchanged");
    expect(performance.now() - begun).toBeGreaterThan(250);
    expect(served.log.at(-1)).toMatchObject({ status: 304 });
  });

  test("costs the store the same, however many wait", async () => {
    const store = untold(createMemoryStore());
    const served = await serve(store, { limits: { pollMs: 50 } });
    const version = await served.client().root.swap(undefined, "{}");
    const waiting = Array.from({ length: 200 }, () => served.client().root.read(version, { wait: 1000 }));
    const begun = performance.now();
    expect(new Set(await Promise.all(waiting))).toEqual(new Set(["unchanged"]));
    const seconds = (performance.now() - begun) / 1000;
    expect(store.looks).toBeLessThan(220 + 20 * seconds);
  });

  test("and goes away is forgotten", async () => {
    const memory = createMemoryStore();
    const served = await serve(memory);
    const version = await served.client().root.swap(undefined, "{}");
    const controller = new AbortController();
    const waiting = served.client({ signal: controller.signal }).root.read(version, { wait: 20_000 });
    const numbers = async (): Promise<string> => (await fetch(`${served.url}/metrics`)).text();
    while (!(await numbers()).includes("\ncsp_http_waiting 1\n")) await Bun.sleep(5);
    controller.abort(new Error("gone"));
    await expect(waiting).rejects.toThrow("gone");
    while (!(await numbers()).includes("\ncsp_http_waiting 0\n")) await Bun.sleep(5);
  });
});

describe("the feed of a root", () => {
  test("never gives what is older than the question", async () => {
    let state: RootState | undefined = { version: "1", text: "1" };
    const reads: (() => void)[] = [];
    const feed = createRootFeed(
      {
        async read(known) {
          const seen = state;
          await new Promise<void>((resolve) => reads.push(resolve));
          return known !== undefined && seen?.version === known ? "unchanged" : seen;
        },
        async swap(_, text) {
          state = { version: text, text };
          return text;
        },
      },
      10,
    );
    const before = feed.read();
    await Bun.sleep(0);
    await feed.swap("1", "2");
    const after = Array.from({ length: 5 }, () => feed.read());
    reads.shift()?.();
    expect((await before)?.text).toBe("1");
    await Bun.sleep(0);
    expect(reads.length).toBe(1);
    reads.shift()?.();
    for (const each of after) expect((await each)?.text).toBe("2");
    // What the first look left behind was older than the swap. That costs the next one an answer, and nobody a change.
    const waits = feed.changed("2", 5000, new Promise(() => {}));
    feed.end();
    await waits;
  });
});

describe("a store that fails behind the server", () => {
  const cases: readonly [string, CspError, number, string, string | null][] = [
    ["down", unreachable("s3://secret-bucket", "is down"), 503, "CSP_STORE_UNREACHABLE", "5"],
    [
      "down for a minute",
      unreachable("s3://secret-bucket", "is full", undefined, undefined, 61_000),
      503,
      "CSP_STORE_UNREACHABLE",
      "61",
    ],
    ["spoiled", new CspError("CSP_STORE_CORRUPT", { message: "secret-bucket" }), 502, "CSP_STORE_UNREACHABLE", null],
    ["odd", new CspError("CSP_STORE_ANSWER", { message: "secret-bucket" }), 502, "CSP_STORE_UNREACHABLE", null],
    [
      "closed to us",
      new CspError("CSP_STORE_DENIED", { message: "secret-bucket" }),
      502,
      "CSP_STORE_UNREACHABLE",
      null,
    ],
  ];
  test.each(cases)("%s", async (_, error, status, code, retryAfter) => {
    const memory = createMemoryStore();
    const key = await putNew(memory, bytesOf(10, 1));
    let broken: Request[] = [];
    const fault: Fault = { when: "before", error };
    const served = await serve(faulty(memory, (request) => (broken.includes(request) ? fault : undefined)));
    broken = ["get", "size", "read", "list"];
    for (const path of [`/${key}`, "/root", "/objects"]) {
      const answer = await fetch(`${served.url}${path}`);
      expect([answer.status, answer.headers.get("retry-after")]).toEqual([status, retryAfter]);
      expect(await answer.text()).not.toContain("secret-bucket");
    }
    const client = served.client();
    expect(await codeOf(client.blobs.get(key, { maxBytes: 10 }))).toBe(code);
    expect(await codeOf(client.blobs.size(key))).toBe(code);
    expect(await codeOf(client.root.read())).toBe(code);
    const numbers = await (await fetch(`${served.url}/metrics`)).text();
    expect(numbers).toContain("\ncsp_store_up 0\n");
    expect(numbers).toMatch(new RegExp(`^csp_store_errors_total\\{code="${error.code}"\\} [1-9]`, "m"));
    expect(served.log.some((entry) => entry.code === error.code)).toBe(true);
    expect((await fetch(`${served.url}/healthz`)).status).toBe(200);
    expect((await fetch(`${served.url}/healthz/ready`)).status).toBe(503);
    broken = [];
    expect((await client.blobs.get(key, { maxBytes: 10 })).length).toBe(10);
    expect(served.defects).toEqual([]);
  });

  test("wakes whoever waits, who then hears of it", async () => {
    const memory = createMemoryStore();
    let broken = false;
    const fault: Fault = { when: "before", error: unreachable("x", "is down") };
    const served = await serve(untold(faulty(memory, () => (broken ? fault : undefined))));
    const client = served.client();
    const version = await client.root.swap(undefined, "{}");
    const waiting = client.root.read(version, { wait: 20_000 });
    await Bun.sleep(50);
    broken = true;
    expect(await codeOf(waiting)).toBe("CSP_STORE_UNREACHABLE");
  });

  test("in a way nobody knows is a defect: told to the log, not to the client", async () => {
    const error = new TypeError("secret detail");
    const served = await serve(faulty(createMemoryStore(), () => ({ when: "before", error })));
    const answer = await fetch(`${served.url}/root`);
    expect([answer.status, (await answer.text()).includes("secret")]).toEqual([500, false]);
    expect(served.defects).toEqual([error]);
  });

  test("that can only be read takes no changes", async () => {
    const memory = createMemoryStore();
    const readOnly = await serve(memory, { writable: false });
    const served = await serve({ ...readOnly.client(), address: "http://x" });
    const client = served.client();
    const bytes = bytesOf(10, 2);
    expect(await client.capabilities()).toMatchObject({ writers: "none", why: expect.stringContaining("--writable") });
    expect(await codeOf(client.blobs.put(await newKey(client, bytes), bytes))).toBe("CSP_STORE_READ_ONLY");
    expect(await codeOf(client.root.swap(undefined, "{}"))).toBe("CSP_STORE_READ_ONLY");
  });
});

describe("stopping", () => {
  test("answers those who wait, lets requests end, and takes no more", async () => {
    const memory = createMemoryStore();
    const key = await putNew(memory, bytesOf(10, 3));
    const gate = Promise.withResolvers<void>();
    const slow: Store = {
      ...memory,
      blobs: {
        ...memory.blobs,
        async get(...args) {
          await gate.promise;
          return memory.blobs.get(...args);
        },
      },
    };
    const served = await serveOver(slow, { limits: { drainMs: 5000 } });
    const client = served.client();
    const version = await client.root.swap(undefined, "{}");
    const begun = performance.now();
    const waiting = client.root.read(version, { wait: 20_000 });
    const getting = client.blobs.get(key, { maxBytes: 10 });
    await Bun.sleep(50);
    let stopped = false;
    const stopping = served.stop().then(() => {
      stopped = true;
    });
    await waiting.catch(() => {});
    expect(performance.now() - begun).toBeLessThan(2000);
    expect(await codeOf(served.client().root.read())).toBe("CSP_STORE_UNREACHABLE");
    expect(stopped).toBe(false);
    gate.resolve();
    expect((await getting).length).toBe(10);
    await stopping;
    expect(performance.now() - begun).toBeLessThan(3000);
  });

  test("does not wait for ever", async () => {
    const memory = createMemoryStore();
    const key = await putNew(memory, bytesOf(10, 4));
    const never: Store = { ...memory, blobs: { ...memory.blobs, get: () => new Promise(() => {}) } };
    const served = await serveOver(never, { limits: { drainMs: 200 } });
    const getting = served.client().blobs.get(key, { maxBytes: 10 });
    await Bun.sleep(50);
    const begun = performance.now();
    await served.stop();
    expect(performance.now() - begun).toBeLessThan(2000);
    expect(await codeOf(getting)).toBe("CSP_STORE_UNREACHABLE");
  });
});
