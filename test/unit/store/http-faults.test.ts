/** Whatever answers in the place of a store: every request has an end, a clear error, and never wrong bytes. */
import { afterAll, describe, expect, test } from "bun:test";
import { isCspError } from "../../../src/core/errors.ts";
import { createMemoryStore } from "../../../src/store/memory.ts";
import type { Store } from "../../../src/store/store.ts";
import { verified } from "../../../src/store/verified.ts";
import {
  type Fault,
  type FaultServer,
  faults,
  type RawRequest,
  reply,
  startFaultServer,
} from "../../support/fault-server.ts";
import { clientOf } from "../../support/servers/serve.ts";
import { bytesOf, expectSame, listed, newKey } from "./objects.ts";

const token = "a-token-that-nobody-may-see";
const bytes = bytesOf(300, 1);
/** Makes keys without a request. */
const keys = createMemoryStore();
const timeouts = { idleMs: 150, totalMs: 600 };
const description = JSON.stringify({ format: 1, serve: { writers: "many" } });
const isServe = { "csp-serve": "1" };
const running: FaultServer[] = [];

afterAll(() => {
  for (const server of running) server.stop();
});

async function start(answer: (request: RawRequest) => Fault): Promise<FaultServer> {
  const server = await startFaultServer(answer);
  running.push(server);
  return server;
}

function open(server: FaultServer, path = ""): Store {
  return verified(clientOf(`${server.url}${path}`, { token, timeouts }));
}

/** Every kind of request once. */
async function allRequests(store: Store): Promise<Record<string, () => Promise<unknown>>> {
  const key = await newKey(keys, bytes);
  return {
    size: () => store.blobs.size(key),
    get: () => store.blobs.get(key, { maxBytes: 1000 }),
    put: () => store.blobs.put(key, bytes),
    delete: () => store.blobs.delete(key),
    list: () => listed(store),
    "read the root": () => store.root.read(),
    "read it again": () => store.root.read("etag:1"),
    "wait for it": () => store.root.read("etag:1", { wait: 600 }),
    "read a copy's": () => store.root.read("static:5"),
    "swap it": () => store.root.swap("etag:1", "{}"),
    // The last one, which asks for nothing but the description.
    capabilities: () => store.capabilities(),
  };
}

const codes = ["CSP_STORE_UNREACHABLE", "CSP_STORE_ANSWER", "CSP_STORE_CORRUPT", "CSP_STORE_ADDRESS"];

describe("a server that", () => {
  for (const [name, fault] of Object.entries(faults)) {
    test.concurrent(`${name}: everything fails in time and says so`, async () => {
      const spoiled = fault(bytes, { etag: '"1"', ...isServe });
      const always = await start(() => spoiled);
      const later = await start(({ path }) =>
        path === "/csp-store.json" ? reply(200, description, isServe) : spoiled,
      );
      const failing = async (server: FaultServer): Promise<void> => {
        const requests = Object.entries(await allRequests(open(server)));
        if (server === later) requests.pop();
        await Promise.all(requests.map(([what, request]) => expectFailure(name, what, request)));
      };
      await Promise.all([always, later].map(failing));
    });
  }
});

async function expectFailure(fault: string, what: string, request: () => Promise<unknown>): Promise<void> {
  const begun = performance.now();
  const outcome = await request().then(
    () => "done",
    (error: unknown) => error,
  );
  expect(performance.now() - begun).toBeLessThan(4500);
  if (outcome === "done") return expectHarmless(fault, what);
  if (!isCspError(outcome)) throw outcome;
  expect({ what, code: codes.includes(outcome.code) ? "" : outcome.code }).toEqual({ what, code: "" });
  expect(JSON.stringify([outcome.message, outcome.hint, outcome.data])).not.toContain(token);
  expect(outcome.message).toMatch(/^[\x20-\x7e]+$/);
}

/** What these faults do not spoil: a HEAD has no body, and the bodies of some answers are of no interest. */
const harmless: Readonly<Record<string, readonly string[]>> = {
  "stops within the body": ["size", "read a copy's"],
  "closes within the body": ["size", "read a copy's"],
  "never ends": ["size", "read a copy's"],
  "announces a terabyte": ["size", "read a copy's"],
  drips: ["size", "read a copy's"],
  "does not say where it ends": ["put", "delete", "swap it"],
  "has no content": ["put", "delete"],
  "did not change": ["read it again", "wait for it"],
};

function expectHarmless(fault: string, what: string): void {
  expect({ fault, what: harmless[fault]?.includes(what) ? "" : what }).toEqual({ fault, what: "" });
}

describe("bytes", () => {
  const spoilt: Readonly<Record<string, Uint8Array>> = {
    "one bit off": bytes.map((byte, index) => (index === 150 ? byte ^ 1 : byte)),
    short: bytes.slice(0, 299),
    long: bytesOf(301, 1),
    none: new Uint8Array(),
  };
  for (const [name, body] of Object.entries(spoilt)) {
    test(`${name} are refused`, async () => {
      const store = open(await start(() => reply(200, body)));
      const key = await newKey(keys, bytes);
      await expect(store.blobs.get(key, { maxBytes: 1000 })).rejects.toMatchObject({ code: "CSP_STORE_CORRUPT" });
    });
  }

  test("as they are stored are taken, in one piece or in chunks", async () => {
    const inChunks: Fault = (socket) => {
      socket.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n64\r\n");
      socket.write(bytes.subarray(0, 100));
      socket.write("\r\nc8\r\n");
      socket.write(bytes.subarray(100));
      socket.write("\r\n0\r\n\r\n");
    };
    for (const fault of [reply(200, bytes), inChunks]) {
      const store = open(await start(() => fault));
      expectSame(await store.blobs.get(await newKey(keys, bytes), { maxBytes: 300 }), bytes);
    }
  });
});

describe("refusals", () => {
  const cases: readonly [number, Record<string, string>, object][] = [
    [401, {}, { code: "CSP_STORE_DENIED" }],
    [403, {}, { code: "CSP_STORE_DENIED" }],
    [404, {}, { code: "CSP_STORE_MISSING" }],
    [429, { "retry-after": "7" }, { code: "CSP_STORE_UNREACHABLE", data: { retryAfterMs: 7000 } }],
    [503, { "retry-after": new Date(Date.now() + 900_000).toUTCString() }, { code: "CSP_STORE_UNREACHABLE" }],
    [503, { "retry-after": "soon" }, { code: "CSP_STORE_UNREACHABLE" }],
    [502, {}, { code: "CSP_STORE_UNREACHABLE" }],
    [418, {}, { code: "CSP_STORE_ANSWER", data: { lasting: true } }],
  ];
  test.each(cases)("status %d with %j", async (status, headers, expected) => {
    const server = await start(() => reply(status, "x".repeat(200_000), headers));
    const store = open(server);
    const error = await store.blobs.get(await newKey(keys, bytes), { maxBytes: 10 }).catch((thrown) => thrown);
    expect(error).toMatchObject(expected);
    if (headers["retry-after"]?.includes("GMT")) expect(error.data.retryAfterMs).toBeGreaterThan(500_000);
    if (headers["retry-after"] === "soon") expect(error.data.retryAfterMs).toBeUndefined();
  });

  test("a server that takes no changes can only be read", async () => {
    const server = await start(({ path, method }) =>
      path === "/csp-store.json" ? reply(200, description, isServe) : reply(method === "PUT" ? 405 : 501),
    );
    const store = open(server);
    const key = await newKey(keys, bytes);
    for (const attempt of [
      () => store.blobs.put(key, bytes),
      () => store.blobs.delete(key),
      () => store.root.swap(undefined, "{}"),
    ]) {
      await expect(attempt()).rejects.toMatchObject({ code: "CSP_STORE_READ_ONLY" });
    }
  });

  test("an address where no store is, and one of a newer csp", async () => {
    const bodies = { "/a": "{}", "/b": "[1]", "/c": '{"format":"1"}', "/d": '{"format":2}', "/e": "\xff{" };
    const server = await start(({ path }) => {
      const body = Object.entries(bodies).find(([base]) => path.startsWith(base))?.[1];
      return body === undefined ? reply(404) : reply(200, body);
    });
    for (const path of ["", "/a", "/b", "/c", "/e"]) {
      await expect(open(server, path).root.read()).rejects.toMatchObject({ code: "CSP_STORE_ADDRESS" });
    }
    await expect(open(server, "/d").capabilities()).rejects.toMatchObject({ code: "CSP_STORE_NEWER" });
  });
});

describe("a root", () => {
  const rootOf = async (fault: Fault): Promise<Store> =>
    open(await start(({ path }) => (path === "/csp-store.json" ? reply(200, description, isServe) : fault)));

  test("without a version, or with one that is none, is refused", async () => {
    for (const etag of ["", "1", '""', '"a"b"', `"${"x".repeat(300)}"`, '"a b"', '"\x7f"', "W/1"]) {
      const store = await rootOf(reply(200, "{}", { ...isServe, ...(etag === "" ? {} : { etag }) }));
      await expect(store.root.read()).rejects.toMatchObject({ code: "CSP_STORE_ANSWER" });
    }
  });

  test("with a tag that a proxy made weak has the same version", async () => {
    const store = await rootOf(reply(200, "{}", { ...isServe, etag: 'W/"7"' }));
    expect(await store.root.read()).toEqual({ version: "etag:7", text: "{}" });
  });

  test("that is no text is refused", async () => {
    const store = await rootOf(reply(200, new Uint8Array([0x7b, 0xff, 0x7d]), { ...isServe, etag: '"1"' }));
    await expect(store.root.read()).rejects.toMatchObject({ code: "CSP_STORE_ANSWER" });
  });

  test("a server that does not wait is not asked in a row", async () => {
    const server = await start(({ path }) => (path === "/root" ? reply(304, "", isServe) : reply(404)));
    const begun = performance.now();
    expect(await open(server).root.read("etag:1", { wait: 20_000 })).toBe("unchanged");
    expect(performance.now() - begun).toBeLessThan(2000);
    expect(server.seen.map(({ headers }) => headers.prefer)).toEqual(["wait=20"]);
  });
});

describe("a listing", () => {
  const digest = "0".repeat(128);
  const keyOf = (n: number): string => `blobs/${digest}.${n.toString(16).padStart(32, "0")}`;
  const listingOf = async (
    answer: (after: string | null) => unknown,
  ): Promise<{ store: Store; server: FaultServer }> => {
    const server = await start(({ path }) => {
      if (path === "/csp-store.json") return reply(200, description, isServe);
      return reply(200, JSON.stringify(answer(new URL(path, "http://x").searchParams.get("after"))));
    });
    return { store: open(server), server };
  };

  test("loses what is no key and no size", async () => {
    const odd = ["../x", "root/1", `${keyOf(1)}\n`, keyOf(1).toUpperCase(), "", null, 5, {}];
    const sizes = [-1, 1.5, "5", null, 1e300, undefined];
    const objects = [
      ...odd.map((key) => [key, 5]),
      ...sizes.map((size) => [keyOf(1), size]),
      null,
      "x",
      {},
      [],
      [keyOf(2), 7, "more"],
    ];
    const { store } = await listingOf(() => ({ objects }));
    expect([...(await listed(store))]).toEqual([[keyOf(2), 7]]);
  });

  test("that is none, or goes on nowhere, is refused", async () => {
    const pages = [[], {}, { objects: {} }, { objects: [], next: "x" }, { objects: [], next: 5 }, "x", null, 7];
    for (const page of pages) {
      const { store } = await listingOf(() => page);
      await expect(listed(store)).rejects.toMatchObject({ code: "CSP_STORE_ANSWER" });
    }
  });

  test("that goes in a circle, or back, has an end", async () => {
    const circle = await listingOf(() => ({ objects: [[keyOf(1), 1]], next: keyOf(1) }));
    await expect(listed(circle.store)).rejects.toThrow("lists in a circle");
    expect(circle.server.seen.length).toBe(3);
    const back = await listingOf((after) => ({ objects: [], next: after === keyOf(5) ? keyOf(4) : keyOf(5) }));
    await expect(listed(back.store)).rejects.toThrow("lists in a circle");
  });

  test("of pages that are too long is refused", async () => {
    const { server } = await listingOf(() => ({ objects: [], padding: "x".repeat(17 * 1024 * 1024) }));
    await expect(listed(clientOf(server.url))).rejects.toMatchObject({ code: "CSP_STORE_ANSWER" });
  });
});
