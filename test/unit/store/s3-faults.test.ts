/** Services that are almost S3, or something else altogether: every request ends with a clear error or the right bytes. */
import { afterEach, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { openS3Store } from "../../../src/store/s3.ts";
import type { Store, StoreOptions } from "../../../src/store/store.ts";
import { selfSigned } from "../../support/certificate.ts";
import { makeTemp, removeTree } from "../../support/temp.ts";
import { bytesOf, codeOf, listed, newKey, putNew } from "./objects.ts";
import { type Clone, type CloneOptions, page, s3Error, startClone } from "./s3-clone.ts";

const running: Clone[] = [];
afterEach(() => {
  for (const clone of running.splice(0)) clone.stop();
});

function start(options: CloneOptions = {}): Clone {
  const clone = startClone(options);
  running.push(clone);
  return clone;
}

function open(clone: Clone, env: Record<string, string> = {}, more: Partial<StoreOptions> = {}): Store {
  const options = { env: { ...clone.env, ...env }, home: undefined, userAgent: "csp/test", ...more };
  return openS3Store("s3://bucket/p", options);
}

async function errorOf(
  attempt: Promise<unknown>,
): Promise<{ code: string; message: string; hint: string; data: object }> {
  return attempt.then(
    () => ({ code: "no error", message: "", hint: "", data: {} }),
    (error) => error,
  );
}

/** Every kind of request once. */
async function allRequests(store: Store): Promise<Record<string, () => Promise<unknown>>> {
  const bytes = bytesOf(100, 1);
  const key = await newKey(store, bytes);
  return {
    size: () => store.blobs.size(key),
    get: () => store.blobs.get(key, { maxBytes: 100 }),
    put: () => store.blobs.put(key, bytes),
    delete: () => store.blobs.delete(key),
    list: () => listed(store),
    "read the root": () => store.root.read(),
    "read the root again": () => store.root.read("1"),
    "swap the root": () => store.root.swap(undefined, "{}"),
    probe: () => store.capabilities(),
  };
}

/** All of them must fail so. */
async function expectAll(store: Store, code: string, message: RegExp): Promise<void> {
  for (const [what, attempt] of Object.entries(await allRequests(store))) {
    const error = await errorOf(attempt());
    expect({ what, code: error.code }).toEqual({ what, code });
    expect(error.message).toMatch(message);
    expect(JSON.stringify([error.message, error.hint, error.data])).not.toContain("s3cret");
  }
}

describe("the clone without a fault", () => {
  test("serves a store", async () => {
    const clone = start();
    const store = open(clone);
    const bytes = bytesOf(1000, 2);
    const key = await putNew(store, bytes);
    expect(await store.blobs.get(key, { maxBytes: 1000 })).toEqual(bytes);
    expect(await listed(store)).toEqual(new Map([[key, 1000]]));
    expect(await store.capabilities()).toEqual({ writers: "many" });
    expect(clone.seen.every(({ headers }) => headers.get("user-agent") === "csp/test")).toBe(true);
  });

  test("is asked once where the root did not change, and three times to begin with", async () => {
    const clone = start();
    const store = open(clone);
    const version = await store.root.swap(undefined, "{}");
    clone.seen.length = 0;
    expect(await store.root.read(version)).toBe("unchanged");
    expect(clone.seen.map(({ method, url }) => `${method} ${url}`)).toEqual(["GET /bucket/p/root/2"]);
    clone.seen.length = 0;
    expect(await open(clone).root.read()).toEqual({ version: "1", text: "{}" });
    expect(clone.seen).toHaveLength(3);
  });
});

describe("preconditions", () => {
  test("that are ignored make a store read-only, and no swap is tried", async () => {
    const clone = start({ ignoresPreconditions: true });
    const store = open(clone);
    const why = "it overwrites objects in spite of `If-None-Match: *`";
    expect(await store.capabilities()).toEqual({ writers: "none", why });
    expect(await codeOf(open(clone).root.swap(undefined, "{}"))).toBe("CSP_STORE_READ_ONLY");
    expect([...clone.objects.keys()]).toEqual([]);
  });

  test("that are refused do too", async () => {
    for (const [status, code] of [
      [501, "NotImplemented"],
      [400, "InvalidArgument"],
    ] as const) {
      const clone = start({
        spoil: ({ headers }) => (headers.has("if-none-match") ? s3Error(status, code) : undefined),
      });
      const { writers, why } = await open(clone).capabilities();
      expect(writers).toBe("none");
      expect(why).toContain(`answered with ${status}`);
    }
  });

  test("are tried with a checksum, as buckets with object lock want it", async () => {
    const clone = start({
      spoil: ({ method, headers }) =>
        method === "PUT" && !headers.has("content-md5") ? s3Error(400, "InvalidRequest") : undefined,
    });
    expect(await open(clone).capabilities()).toEqual({ writers: "many" });
  });

  test("credentials that may only read are no error of the probe, and are asked once", async () => {
    const clone = start({ spoil: ({ method }) => (method === "PUT" ? s3Error(403, "AccessDenied") : undefined) });
    const store = open(clone);
    const expected = { writers: "none", why: "these credentials may not write `p/probe/*`" } as const;
    expect(await store.capabilities()).toEqual(expected);
    const asked = clone.seen.length;
    expect(await store.capabilities()).toEqual(expected);
    expect(clone.seen).toHaveLength(asked);
  });

  test("a probe that fails is repeated when asked again, and may leave its object where deleting is denied", async () => {
    let down = true;
    const clone = start({
      spoil: ({ method }) =>
        down ? s3Error(503, "SlowDown") : method === "DELETE" ? s3Error(403, "AccessDenied") : undefined,
    });
    const store = open(clone);
    expect(await codeOf(store.capabilities())).toBe("CSP_STORE_UNREACHABLE");
    down = false;
    expect(await store.capabilities()).toEqual({ writers: "many" });
  });

  test("a conflict is tried again; what stays in conflict may be tried later", async () => {
    let conflicts = 2;
    const clone = start({
      spoil: ({ method, url }) =>
        method === "PUT" && url.includes("/root/") && conflicts-- > 0
          ? s3Error(409, "ConditionalRequestConflict")
          : undefined,
    });
    const store = open(clone);
    expect(await store.root.swap(undefined, "{}")).toBe("1");
    conflicts = 1000;
    expect(await codeOf(store.root.swap("1", "{}"))).toBe("CSP_STORE_UNREACHABLE");
  });
});

describe("the root", () => {
  test("is found without the hint, and with one that is wrong in any way", async () => {
    const clone = start();
    const writer = open(clone);
    let version: string | undefined;
    for (let n = 1; n <= 21; n++) version = await writer.root.swap(version, `text ${n}`);
    expect(version).toBe("21");
    for (const hint of [undefined, "5", "21", "20", "99", "1e3", "0", "-1", "<html>", "9".repeat(50_000)]) {
      if (hint === undefined) clone.objects.delete("/bucket/p/root/latest");
      else clone.objects.set("/bucket/p/root/latest", new TextEncoder().encode(hint));
      for (const known of [undefined, "1", "19", "20"]) {
        expect(await open(clone).root.read(known)).toEqual({ version: "21", text: "text 21" });
      }
      expect(await open(clone).root.read("21")).toBe("unchanged");
    }
  });

  test("is found where the hint's name is taken by something that is no hint", async () => {
    const html = new Response("<html>", { headers: { etag: '"1"', "content-type": "text/html" } });
    for (const foreign of [new Response(new Uint8Array(200_000), { headers: { etag: '"1"' } }), html]) {
      const clone = start({
        spoil: ({ method, url }) =>
          method === "GET" && url.endsWith("/root/latest") ? (foreign.clone() as Response) : undefined,
      });
      const store = open(clone);
      expect(await store.root.read()).toBeUndefined();
      for (const n of [1, 2, 3]) expect(await store.root.swap(n === 1 ? undefined : `${n - 1}`, `t${n}`)).toBe(`${n}`);
      expect(await open(clone).root.read()).toEqual({ version: "3", text: "t3" });
      expect(await open(clone).root.read("1")).toEqual({ version: "3", text: "t3" });
    }
  });

  test("a version of another store leaves no gap", async () => {
    const clone = start();
    const store = open(clone);
    expect(await store.root.swap("7", "{}")).toBeUndefined();
    expect(await store.root.swap("x", "{}")).toBeUndefined();
    expect(await store.root.swap("../1", "{}")).toBeUndefined();
    expect([...clone.objects.keys()]).toEqual([]);
  });

  test("a swap that arrives twice is a swap, and one that somebody else did first is none", async () => {
    const clone = start({ repeats: ({ method, url }) => method === "PUT" && url.includes("/root/") });
    const store = open(clone);
    expect(await store.root.swap(undefined, "{}")).toBe("1");
    expect(await store.root.swap("1", "{}")).toBe("2");
    expect(await open(clone).root.swap("1", "{}")).toBeUndefined();
    expect(await store.root.swap(undefined, "{}")).toBeUndefined();
  });

  test("that is no text is no root", async () => {
    const clone = start();
    clone.objects.set("/bucket/p/root/1", new Uint8Array([0xff, 0xfe, 0]));
    expect(await codeOf(open(clone).root.read())).toBe("CSP_STORE_ANSWER");
  });
});

describe("something that is not S3", () => {
  const pages: Record<string, () => Response> = {
    "a sign-in page": () =>
      new Response("<!doctype html><title>Sign in</title>", { headers: { "content-type": "text/html", etag: '"1"' } }),
    "an empty success": () => new Response(null),
    "a page that was not found": () =>
      new Response("<html>404</html>", { status: 404, headers: { "content-type": "text/html" } }),
    "no content": () => new Response(null, { status: 204 }),
    "a part": () => new Response("part", { status: 206, headers: { etag: '"1"' } }),
    "not modified": () => new Response(null, { status: 304 }),
  };
  for (const [what, answer] of Object.entries(pages)) {
    test(`${what} is taken for nothing else`, async () => {
      const store = open(start({ spoil: answer }));
      for (const [request, attempt] of Object.entries(await allRequests(store))) {
        // Whether something was deleted is looked at by nobody.
        if (request === "delete") await attempt().catch(() => {});
        else expect({ request, code: (await errorOf(attempt())).code }).toEqual({ request, code: "CSP_STORE_ANSWER" });
      }
    });
  }

  test("a redirect to another host is not followed", async () => {
    const other = start();
    const clone = start({ spoil: () => Response.redirect(`${other.endpoint}/bucket`, 302) });
    await expectAll(open(clone), "CSP_STORE_ANSWER", /redirect \(302\), which is not followed/);
    expect(other.seen).toEqual([]);
  });

  test("bytes that are compressed on the way are not taken for the object", async () => {
    const spoil = () => new Response("xx", { headers: { etag: '"1"', "content-encoding": "gzip" } });
    const store = open(start({ spoil }));
    const key = await newKey(store, bytesOf(10, 3));
    expect(await codeOf(store.blobs.get(key, { maxBytes: 100 }))).toBe("CSP_STORE_ANSWER");
  });
});

describe("a service in trouble", () => {
  test("says when to come back", async () => {
    for (const [status, code] of [
      [503, "SlowDown"],
      [429, "TooManyRequests"],
      [500, "InternalError"],
      [502, "BadGateway"],
    ] as const) {
      const store = open(start({ spoil: () => s3Error(status, code, { "retry-after": "7" }) }));
      await expectAll(store, "CSP_STORE_UNREACHABLE", new RegExp(`answered ${status}`));
      expect(await errorOf(store.root.read("1"))).toMatchObject({ data: { retryAfterMs: 7000 } });
    }
    const silent = open(start({ spoil: () => s3Error(400, "RequestTimeout") }));
    const error = await errorOf(silent.root.read("1"));
    expect(error.code).toBe("CSP_STORE_UNREACHABLE");
    expect(error.data).not.toHaveProperty("retryAfterMs");
  });

  test("is not waited for forever", async () => {
    const never = Promise.withResolvers<void>();
    const clone = start({ spoil: () => never.promise.then(() => new Response()) });
    const store = open(clone, {}, { timeouts: { idleMs: 100, totalMs: 1000 } });
    await expectAll(store, "CSP_STORE_UNREACHABLE", /silent/);
    const stopping = new AbortController();
    const reading = open(clone, {}, { signal: stopping.signal }).root.read();
    stopping.abort(new Error("stopped"));
    await expect(reading).rejects.toThrow("stopped");
    never.resolve();
  });

  test("nobody there", async () => {
    const clone = start();
    clone.stop();
    await expectAll(open(clone), "CSP_STORE_UNREACHABLE", /ECONNREFUSED/);
  });

  test("what it says of itself does not reach a message", async () => {
    const odd = "\u001b[31mscarlet\u0007\nline";
    const store = open(start({ spoil: () => s3Error(400, odd, { "x-amz-bucket-region": "a b/../" }, odd) }));
    for (const attempt of Object.values(await allRequests(store))) {
      const { message = "", hint = "" } = await errorOf(attempt());
      expect(`${message}${hint}`).not.toMatch(/[\u0000-\u001f]|scarlet/);
    }
  });
});

describe("the region", () => {
  const wrong = (status: number, headers: Record<string, string>, more = "") =>
    start({
      spoil: ({ region }) => (region === "eu-west-1" ? undefined : s3Error(status, "PermanentRedirect", headers, more)),
    });

  test("that the service names is used from then on", async () => {
    for (const clone of [
      wrong(301, { "x-amz-bucket-region": "eu-west-1" }),
      wrong(307, { "x-amz-bucket-region": "eu-west-1", location: "http://127.0.0.1:1/" }),
      wrong(400, {}, "<Region>eu-west-1</Region>"),
    ]) {
      const store = open(clone);
      expect(await store.root.read()).toBeUndefined();
      expect(clone.seen.map(({ region }) => region)).toEqual(["us-east-1", "eu-west-1", "eu-west-1"]);
    }
  });

  test("is learned by all that ask at once", async () => {
    const store = open(wrong(301, { "x-amz-bucket-region": "eu-west-1" }));
    const answers = await Promise.all(Array.from({ length: 8 }, () => store.root.read("1")));
    expect(answers).toEqual(Array.from({ length: 8 }, () => "unchanged" as const));
  });

  test("that does not help either is an error that names it", async () => {
    const spoil: CloneOptions["spoil"] = ({ region }) =>
      s3Error(301, "PermanentRedirect", { "x-amz-bucket-region": region === "eu-west-1" ? "eu-west-2" : "eu-west-1" });
    const clone = start({ spoil });
    const error = await errorOf(open(clone).root.read());
    expect(error).toMatchObject({ code: "CSP_STORE_ADDRESS", message: expect.stringContaining("region `eu-west-2`") });
    expect(error.hint).toContain("AWS_REGION=eu-west-2");
    expect(clone.seen).toHaveLength(2);
  });

  test("that could be anything but a region is not used", async () => {
    for (const region of ["evil.example.com", "x/../..", "@evil", "a".repeat(64), ""]) {
      const clone = start({ spoil: () => s3Error(301, "PermanentRedirect", { "x-amz-bucket-region": region }) });
      expect(await codeOf(open(clone).root.read("1"))).toBe("CSP_STORE_ANSWER");
      expect(clone.seen).toHaveLength(1);
    }
  });
});

describe("the clock", () => {
  test("of the server is used where this one is off", async () => {
    const hours = 3 * 3_600_000;
    const clone = start({
      spoil({ method, headers }) {
        const signed = headers.get("x-amz-date")?.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, "$1-$2-$3T$4:$5:$6Z") ?? "";
        if (Math.abs(Date.parse(signed) - (Date.now() + hours)) < 60_000) return undefined;
        const date = new Date(Date.now() + hours).toUTCString();
        return method === "HEAD"
          ? new Response(null, { status: 403, headers: { date } })
          : s3Error(403, "RequestTimeTooSkewed", { date });
      },
    });
    expect(await open(clone).root.read()).toBeUndefined();
    expect(clone.seen).toHaveLength(3);
    const reader = open(clone);
    expect(await Promise.all([1, 2, 3, 4].map(() => reader.root.read()))).toEqual([1, 2, 3, 4].map(() => undefined));
    const looking = open(clone);
    expect(await looking.blobs.size(await newKey(looking, bytesOf(5, 5)))).toBeUndefined();
  });

  test("is not believed twice in one request", async () => {
    let days = 0;
    const clone = start({
      spoil: () =>
        s3Error(403, "RequestTimeTooSkewed", { date: new Date(Date.now() + ++days * 86_400_000).toUTCString() }),
    });
    const error = await errorOf(open(clone).root.read("1"));
    expect(error).toMatchObject({ code: "CSP_STORE_DENIED", hint: "set the clock of this machine" });
    expect(clone.seen).toHaveLength(2);
  });
});

describe("permissions", () => {
  test("that are missing are told with what is needed", async () => {
    const store = open(start({ spoil: () => s3Error(403, "AccessDenied") }));
    const error = await errorOf(store.root.read("1"));
    expect(error).toMatchObject({ code: "CSP_STORE_DENIED", message: expect.stringContaining("403 AccessDenied") });
    expect(error.hint).toContain("s3:ListBucket on `bucket`");
    expect(error.hint).toContain("s3:GetObject on `bucket/p/*`");
  });
});

describe("a hostile listing", () => {
  const digest = "a".repeat(128);
  const key = `blobs/${digest}.${"b".repeat(32)}`;

  test("gives only what is a key below the prefix and has a size", async () => {
    const odd = [
      { key: `p/${key}`, size: 5 },
      { key, size: 5 },
      { key: `p/../p/${key}`, size: 5 },
      { key: "p/blobs/../../etc/passwd", size: 5 },
      { key: "p/blobs/%2e%2e/x", size: 5 },
      { key: "p/blobs/%", size: 5 },
      { key: `p/${key.replace("a", "A")}`, size: 5 },
      { key: `p/${key.replace("b".repeat(32), "c".repeat(32))}`, size: -1 },
      { key: `p/${key.replace("b".repeat(32), "d".repeat(32))}`, size: "1e9" },
      { key: "", size: 1 },
    ];
    const store = open(start({ spoil: ({ url }) => page(url.includes("prefix=p%2Fblobs") ? odd : []) }));
    expect(await listed(store)).toEqual(new Map([[key, 5]]));
  });

  test("of names that are not encoded, though asked for, is understood", async () => {
    const options = { home: undefined, userAgent: "csp/test" };
    for (const name of [`a+b/${key}`, `a%2Bb/${key}`, `a%2bb%2f${key.replace("/", "%2F")}`]) {
      const clone = start({ spoil: ({ url }) => page(url.includes("%2Fblobs") ? [{ key: name, size: 5 }] : []) });
      const store = openS3Store("s3://bucket/a+b", { ...options, env: clone.env });
      expect(await listed(store)).toEqual(new Map([[key, 5]]));
    }
  });

  test("that has more and does not say how to get it is none", async () => {
    const part = "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>";
    expect(await codeOf(listed(open(start({ spoil: () => new Response(part) }))))).toBe("CSP_STORE_ANSWER");
  });

  test("that goes in circles, or never ends, or is none, ends", async () => {
    const circle = open(start({ spoil: (_, before) => page([], `t${before % 3}`) }));
    expect(await errorOf(listed(circle))).toMatchObject({
      code: "CSP_STORE_ANSWER",
      message: expect.stringContaining("again and again"),
    });
    const endless = () =>
      new Response(
        new ReadableStream({
          pull: (controller) => controller.enqueue(new TextEncoder().encode("<ListBucketResult>".repeat(4000))),
        }),
      );
    for (const answer of [
      endless,
      () => new Response('<!DOCTYPE a [<!ENTITY b "c">]><ListBucketResult>&b;</ListBucketResult>'),
      () => new Response("<ListAllMyBucketsResult/>"),
      () => new Response("{}"),
    ]) {
      expect(await codeOf(listed(open(start({ spoil: answer }))))).toBe("CSP_STORE_ANSWER");
    }
  });
});

test("a proxy of the environment is used, and its exceptions are kept", async () => {
  const clone = start();
  const proxy = start();
  const env = { HTTP_PROXY: proxy.endpoint, AWS_ENDPOINT_URL_S3: "http://s3.example.com" };
  expect(await open(clone, env).root.read()).toBeUndefined();
  expect(proxy.seen.length).toBe(2);
  expect(await open(clone, { HTTP_PROXY: proxy.endpoint, NO_PROXY: "127.0.0.1" }).root.read()).toBeUndefined();
  expect(proxy.seen.length).toBe(2);
  expect(clone.seen.length).toBe(2);
});

const withOpenssl = Bun.which("openssl") === null ? test.skip : test;
withOpenssl("a certificate is trusted where AWS_CA_BUNDLE says so, and not elsewhere (needs openssl)", async () => {
  const certificate = selfSigned();
  const clone = start({ certificate });
  const error = await errorOf(open(clone).root.read());
  expect(error).toMatchObject({ code: "CSP_STORE_UNREACHABLE", hint: expect.stringContaining("AWS_CA_BUNDLE") });
  expect(clone.seen).toEqual([]);
  const folder = makeTemp();
  try {
    const bundle = join(folder, "ca.pem");
    expect(() => open(clone, { AWS_CA_BUNDLE: bundle })).toThrow("cannot be read (ENOENT)");
    writeFileSync(bundle, "no certificate");
    expect(() => open(clone, { AWS_CA_BUNDLE: bundle })).toThrow("holds no certificate");
    writeFileSync(bundle, certificate.cert);
    expect(await open(clone, { AWS_CA_BUNDLE: bundle }).root.read()).toBeUndefined();
  } finally {
    removeTree(folder);
  }
});
