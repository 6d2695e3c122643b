/** What the server says over HTTP, as docs/reference/serve-api.md promises it. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { StoreKey } from "../../../src/core/store-key.ts";
import { createMemoryStore } from "../../../src/store/memory.ts";
import type { Store } from "../../../src/store/store.ts";
import { type ServedStore, type ServeTestOptions, serveOver } from "../../support/servers/serve.ts";
import { bytesOf, expectSame, newKey, putMany, putNew } from "../store/objects.ts";
import { send, statusOf } from "./raw.ts";

let store: Store;
let served: ServedStore;
let key: StoreKey;
const bytes = bytesOf(1000, 1);

async function serve(options?: ServeTestOptions): Promise<void> {
  store = createMemoryStore();
  key = await putNew(store, bytes);
  served = await serveOver(store, options);
}

beforeEach(() => serve());
afterEach(async () => {
  await served.stop();
  expect(served.defects).toEqual([]);
});

interface Ask {
  method?: string;
  headers?: Record<string, string>;
  body?: string | Uint8Array;
  token?: string | null;
}

function ask(
  path: string,
  { method = "GET", headers = {}, body, token = served.writeToken }: Ask = {},
): Promise<Response> {
  const sent: Record<string, string> = { ...(token === null ? {} : { authorization: `Bearer ${token}` }), ...headers };
  const init = { method, headers: sent, redirect: "manual" as const };
  return fetch(`${served.url}${path}`, (body === undefined ? init : { ...init, body }) as RequestInit);
}

describe("objects", () => {
  test("are whole, immutable, and what no browser should guess about", async () => {
    const answer = await ask(`/${key}`, { token: null });
    expect(answer.status).toBe(200);
    expectSame(new Uint8Array(await answer.arrayBuffer()), bytes);
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      "content-length": "1000",
      "content-type": "application/octet-stream",
      "cache-control": "public, max-age=31536000, immutable",
      "x-content-type-options": "nosniff",
      "accept-ranges": "bytes",
      etag: `"${key.split(".")[1]}"`,
      "csp-serve": "1",
    });
  });

  test("HEAD says the same without the bytes", async () => {
    const [head, get] = [await ask(`/${key}`, { method: "HEAD" }), await ask(`/${key}`)];
    await get.arrayBuffer();
    const facts = ({ headers }: Response): object => ({ ...Object.fromEntries(headers), date: "" });
    expect([head.status, facts(head)]).toEqual([200, facts(get)]);
    expect((await head.arrayBuffer()).byteLength).toBe(0);
    expect((await ask(`/${await newKey(store, bytes)}`, { method: "HEAD" })).status).toBe(404);
  });

  test("are not sent to whoever has them", async () => {
    const tag = `"${key.split(".")[1]}"`;
    for (const header of [tag, `W/${tag}`, `"x", ${tag}`]) {
      expect((await ask(`/${key}`, { headers: { "if-none-match": header } })).status).toBe(304);
    }
    expect((await ask(`/${key}`, { headers: { "if-none-match": '"x"' } })).status).toBe(200);
  });

  const ranges: readonly [string, number, number, number][] = [
    ["bytes=0-0", 206, 0, 1],
    ["bytes=10-19", 206, 10, 20],
    ["bytes=990-", 206, 990, 1000],
    ["bytes=990-99999", 206, 990, 1000],
    ["bytes=-10", 206, 990, 1000],
    ["bytes=-5000", 206, 0, 1000],
    ["bytes=0-999", 206, 0, 1000],
    ["bytes=1000-", 416, 0, 0],
    ["bytes=-0", 416, 0, 0],
    ["bytes=20-10", 200, 0, 1000],
    ["bytes=0-1,5-6", 200, 0, 1000],
    ["bytes=-", 200, 0, 1000],
    ["lines=0-1", 200, 0, 1000],
    ["bytes=a-b", 200, 0, 1000],
  ];
  test.each(ranges)("%s", async (range, status, start, end) => {
    const answer = await ask(`/${key}`, { headers: { range } });
    expect(answer.status).toBe(status);
    if (status === 416) expect(answer.headers.get("content-range")).toBe("bytes */1000");
    else expect(new Uint8Array(await answer.arrayBuffer())).toEqual(bytes.slice(start, end));
    if (status === 206) expect(answer.headers.get("content-range")).toBe(`bytes ${start}-${end - 1}/1000`);
  });

  test("a range of another object is the whole", async () => {
    const range = "bytes=0-9";
    const tag = `"${key.split(".")[1]}"`;
    expect((await ask(`/${key}`, { headers: { range, "if-range": '"other"' } })).status).toBe(200);
    expect((await ask(`/${key}`, { headers: { range, "if-range": tag } })).status).toBe(206);
  });

  test("are taken once, and only with the bytes of their key", async () => {
    const other = bytesOf(500, 2);
    const next = await newKey(store, other);
    const put = (body: Uint8Array): Promise<Response> =>
      ask(`/${next}`, { method: "PUT", body, headers: { "if-none-match": "*" } });
    expect((await put(bytes)).status).toBe(422);
    expect(await store.blobs.size(next)).toBeUndefined();
    for (let n = 0; n < 2; n++) expect((await put(other)).status).toBe(204);
    expect(await store.blobs.get(next, { maxBytes: 500 })).toEqual(other);
    for (let n = 0; n < 2; n++) expect((await ask(`/${next}`, { method: "DELETE" })).status).toBe(204);
    expect(await store.blobs.size(next)).toBeUndefined();
  });

  test("larger than usual are measured, and given all the same", async () => {
    const large = bytesOf(3_000_000, 3);
    const next = await putNew(store, large);
    const answer = await ask(`/${next}`);
    expect(Buffer.compare(new Uint8Array(await answer.arrayBuffer()), large)).toBe(0);
  });
});

describe("the root", () => {
  test("is not there, then made, then replaced, by whoever knows it", async () => {
    const put = (text: string, headers: Record<string, string>): Promise<Response> =>
      ask("/root", { method: "PUT", body: text, headers });
    expect((await ask("/root")).status).toBe(404);
    const first = await put("{}", { "if-none-match": "*" });
    expect([first.status, first.headers.get("etag")]).toEqual([204, '"1"']);
    expect((await put("{}", { "if-none-match": "*" })).status).toBe(412);
    expect((await put("{}", { "if-match": '"7"' })).status).toBe(412);
    expect((await put("{}", { "if-match": "7" })).status).toBe(412);
    expect((await put('{"n":2}', { "if-match": '"1"' })).headers.get("etag")).toBe('"2"');
    const read = await ask("/root", { token: null });
    expect([read.status, read.headers.get("etag"), await read.text()]).toEqual([200, '"2"', '{"n":2}']);
    expect(read.headers.get("cache-control")).toBe("private, no-cache");
    expect((await ask("/root", { headers: { "if-none-match": '"2"' } })).status).toBe(304);
    expect((await ask("/root", { headers: { "if-none-match": '"1"' } })).status).toBe(200);
  });

  test("takes no change without a condition, and none that is no text", async () => {
    const headers: Record<string, string>[] = [
      {},
      { "if-none-match": '"1"' },
      { "if-match": '"1"', "if-none-match": "*" },
    ];
    for (const each of headers) {
      expect((await ask("/root", { method: "PUT", body: "{}", headers: each })).status).toBe(428);
    }
    const body = new Uint8Array([0x7b, 0xff, 0x7d]);
    expect((await ask("/root", { method: "PUT", body, headers: { "if-none-match": "*" } })).status).toBe(400);
    expect((await ask("/root")).status).toBe(404);
  });
});

describe("a listing", () => {
  test("comes in pages by key, from where one likes", async () => {
    await served.stop();
    await serve({ limits: { pageSize: 10 } });
    const sizes = await putMany(store, 24);
    sizes.set(key, 1000);
    const seen: [string, number][] = [];
    const lengths: number[] = [];
    for (let after = ""; ; ) {
      const page = (await (await ask(`/objects${after}`)).json()) as { objects: [string, number][]; next?: string };
      seen.push(...page.objects);
      lengths.push(page.objects.length);
      if (page.next === undefined) break;
      expect(page.next).toBe(page.objects.at(-1)?.[0] as string);
      after = `?after=${page.next}`;
    }
    expect(lengths).toEqual([10, 10, 5]);
    expect(seen).toEqual([...sizes].sort());
    const middle = seen[4]?.[0] as string;
    const rest = (await (await ask(`/objects?after=${middle}`)).json()) as { objects: [string, number][] };
    expect(rest.objects).toEqual(seen.slice(5, 15));
  });

  test("goes on only after a key", async () => {
    for (const query of ["after=x", "after=", "before=1", `after=${key}&x=1`, "after=../root"]) {
      expect((await ask(`/objects?${query}`)).status).toBe(400);
    }
    expect((await (await ask(`/objects?after=blobs/${"f".repeat(128)}.${"f".repeat(32)}`)).json()) as object).toEqual({
      objects: [],
    });
  });
});

describe("other paths", () => {
  const paths = [
    "/",
    "//root",
    "/root/",
    "/root/1",
    "/Root",
    "/%72oot",
    "/root%00",
    "/blobs/",
    "/blobs/../root",
    "/blobs/..%2froot",
    "/blobs/./x",
    "/../../etc/passwd",
    "/releases/x",
    "/objects/",
    "/csp-store.json/",
    "http://x/root",
    "*",
    `/blobs/${"A".repeat(128)}.${"0".repeat(32)}`,
    `/blobs/${"0".repeat(128)}.${"0".repeat(32)}/`,
    `/blobs/${"0".repeat(128)}.${"0".repeat(33)}`,
    "/\x1b[31m",
  ];
  test.each(paths)("%j is nothing", async (path) => {
    await store.root.swap(undefined, '{"root":true}');
    const text = await send(served.url, `GET ${path} HTTP/1.1`);
    expect([400, 404]).toContain(statusOf(text));
    expect(text).not.toContain("true");
    if (statusOf(text) === 404) expect(text).toContain('{"error":{"message":');
  });

  test("other methods are not done", async () => {
    for (const method of ["POST", "PATCH", "OPTIONS", "PROPFIND", "TRACE"]) {
      expect([400, 405, 501]).toContain(
        statusOf(await send(served.url, `${method} /${key} HTTP/1.1`, ["Content-Length: 0"])),
      );
    }
    const refused = await ask("/objects", { method: "PUT", body: "x" });
    expect([refused.status, refused.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
    expect((await ask("/root", { method: "DELETE" })).headers.get("allow")).toBe("GET, HEAD, PUT");
  });

  test("a request with two lengths, or two kinds of them, is none", async () => {
    for (const headers of [
      ["Content-Length: 5", "Content-Length: 6"],
      ["Content-Length: 5", "Transfer-Encoding: chunked"],
      ["Content-Length: -1"],
      ["Content-Length: 1e3"],
    ]) {
      const status = statusOf(await send(served.url, `PUT /${key} HTTP/1.1`, headers, "0\r\n\r\n"));
      expect([400, 401, 411]).toContain(status);
    }
  });
});

describe("about the server", () => {
  test("what it is", async () => {
    const said = async (token: string | null): Promise<unknown> => (await ask("/csp-store.json", { token })).json();
    expect(await said(served.writeToken)).toEqual({ format: 1, serve: { writers: "many" } });
    expect(await said(null)).toEqual({ format: 1, serve: { writers: "none", why: "the token may only read" } });
  });

  test("whether it lives and is ready", async () => {
    for (const path of ["/healthz", "/healthz/live"]) expect(await (await ask(path)).json()).toEqual({ live: true });
    const ready = await ask("/healthz/ready");
    expect([ready.status, await ready.json()]).toEqual([200, { live: true, ready: true }]);
  });

  test("its numbers", async () => {
    await store.root.swap(undefined, '{"generation":42}');
    for (let n = 0; n < 3; n++) await (await ask(`/${key}`)).arrayBuffer();
    await ask("/nothing");
    await ask("/root", { headers: { prefer: "wait=1" } });
    const answer = await ask("/metrics");
    expect(answer.headers.get("content-type")).toStartWith("text/plain; version=0.0.4");
    const lines = (await answer.text()).split("\n");
    expect(lines).toContain('csp_http_requests_total{route="blobs",method="GET",status="200"} 3');
    expect(lines).toContain('csp_http_requests_total{route="other",method="GET",status="404"} 1');
    expect(lines).toContain('csp_http_requests_total{route="root_wait",method="GET",status="200"} 1');
    expect(lines).toContain('csp_http_sent_bytes_total{route="blobs"} 3000');
    expect(lines).toContain('csp_http_request_duration_seconds_bucket{route="blobs",le="+Inf"} 3');
    expect(lines).toContain("csp_store_root_generation 42");
    expect(lines).toContain("csp_store_up 1");
    expect(lines).toContain('csp_build_info{version="0.0.0-test"} 1');
    for (const line of lines)
      expect(line).toMatch(/^$|^# (?:HELP|TYPE) csp_\w+ .+$|^csp_\w+(?:\{(?:\w+="[^"\\]*",?)+\})? [0-9.e+-]+$/);
  });

  test("the log has what happened, and no secret", async () => {
    await ask(`/${key}?token=s3cret`);
    await ask("/\u00e9s3cret%1b[31m?x", { token: "s3cret-token-0123456789" });
    await ask("/root", { method: "PUT", body: "{}", headers: { "if-none-match": "*" } });
    expect(served.log).toMatchObject([
      { method: "GET", path: `/${key}`, status: 200, sentBytes: 1000, receivedBytes: 0, remote: "127.0.0.1" },
      { method: "GET", status: 404 },
      { method: "PUT", path: "/root", status: 204, receivedBytes: 2 },
    ]);
    expect(JSON.stringify(served.log)).not.toContain("token");
    for (const { path } of served.log) expect(path).toMatch(/^\/[\x21-\x7e]*$/);
  });
});
