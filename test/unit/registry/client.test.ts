import { describe, expect, test } from "bun:test";
import type { CspError } from "../../../src/core/errors.ts";
import { clientOf, failureOf, serve, serveRaw } from "./support.ts";

const q = { name: "q", version: "1.0.0" };
const limit = { maxBytes: 1000 };
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** Both ways to get a tarball: whole, and as a stream read to its end. */
const ways: ["tarballBytes" | "tarball", (client: ReturnType<typeof clientOf>) => Promise<Uint8Array>][] = [
  ["tarballBytes", (client) => client.tarballBytes(q, limit)],
  ["tarball", async (client) => new Response((await client.tarball(q, limit)).body).bytes()],
];

describe("a tarball", () => {
  test("comes from its usual place, or from the lockfile's path", async () => {
    using server = serve((request) => new Response(new URL(request.url).pathname));
    const client = clientOf(`registry=${server.url}npm\n@s:registry=${server.url}s`);
    const get = async (name: string, path?: string): Promise<string> =>
      text(await client.tarballBytes({ name, version: "1.0.0", path }, limit));
    expect(await get("q")).toBe("/npm/q/-/q-1.0.0.tgz");
    expect(await get("@s/q")).toBe("/s/@s/q/-/q-1.0.0.tgz");
    expect(await get("q", "files/q.tgz")).toBe("/npm/files/q.tgz");
    expect(await get("q", "/files/q.tgz")).toBe("/files/q.tgz");
    const { headers } = server.seen[0] ?? {};
    expect([headers?.get("accept-encoding"), headers?.get("user-agent")]).toEqual(["identity", "csp/test"]);
  });

  test("is not asked for at a path outside the registry", async () => {
    using server = serve(() => new Response("x"));
    const client = clientOf(`registry=${server.url}npm`);
    for (const path of ["//evil.example/x", "../x", "\\x"]) {
      const failure = await failureOf(() => client.tarballBytes({ ...q, path }, limit));
      expect(failure.code).toBe("CSP_LOCKFILE_FOREIGN_TARBALL");
    }
    expect(server.seen).toEqual([]);
  });

  test("has a buffer of its own, so that it can be transferred", async () => {
    using server = serve(() => new Response("x".repeat(500)));
    const bytes = await clientOf(`registry=${server.url}`).tarballBytes(q, limit);
    expect(bytes.buffer.byteLength).toBe(500);
  });

  test("says its size", async () => {
    using server = serve((request) =>
      request.method === "HEAD"
        ? new Response(null, { headers: { "content-length": "123" } })
        : new Response("x".repeat(123)),
    );
    const client = clientOf(`registry=${server.url}`);
    expect(await client.tarballSize(q)).toBe(123);
    const stream = await client.tarball(q, limit);
    expect(stream.size).toBe(123);
    expect(stream.url).toBe(`${server.url}q/-/q-1.0.0.tgz`);
    await stream.body.cancel();
  });

  test.each([400, 405, 501])("of a registry that answers HEAD with %d has an unknown size", async (status) => {
    using server = serve(() => new Response(null, { status }));
    expect(await clientOf(`registry=${server.url}`, { retries: 2 }).tarballSize(q)).toBeUndefined();
    expect(server.seen).toHaveLength(1);
  });
});

describe.each(ways)("%s", (_, get) => {
  test.each([
    [401, "CSP_REGISTRY_AUTH"],
    [403, "CSP_REGISTRY_AUTH"],
    [404, "CSP_REGISTRY_NOT_FOUND"],
    [410, "CSP_REGISTRY_NOT_FOUND"],
    [204, "CSP_REGISTRY_ANSWER"],
    [206, "CSP_REGISTRY_ANSWER"],
    [304, "CSP_REGISTRY_ANSWER"],
    [418, "CSP_REGISTRY_ANSWER"],
  ])("status %d is %s at once", async (status, code) => {
    using server = serve(() => new Response(null, { status }));
    const failure = await failureOf(() => get(clientOf(`registry=${server.url}`, { retries: 3 })));
    expect(failure.code).toBe(code as CspError["code"]);
    expect(server.seen).toHaveLength(1);
  });

  test.each([408, 429, 500, 502, 503, 504])("status %d passes on the third try", async (status) => {
    using server = serve((__, attempt) => (attempt < 3 ? new Response("no", { status }) : new Response("bytes")));
    expect(text(await get(clientOf(`registry=${server.url}`, { retries: 2 })))).toBe("bytes");
  });

  test("a failure that stays is told after the last try", async () => {
    using server = serve(() => new Response("no", { status: 503 }));
    const failure = await failureOf(() => get(clientOf(`registry=${server.url}`, { retries: 2 })));
    expect([failure.code, server.seen.length]).toEqual(["CSP_REGISTRY_UNREACHABLE", 3]);
    expect(failure.message).toBe(`the registry \`${server.url}\` failed with status 503`);
  });

  test("waits as long as `Retry-After` says", async () => {
    const times: number[] = [];
    using server = serve((__, attempt) => {
      times.push(performance.now());
      return attempt === 1 ? new Response("", { status: 429, headers: { "retry-after": "1" } }) : new Response("bytes");
    });
    expect(text(await get(clientOf(`registry=${server.url}`, { retries: 1 })))).toBe("bytes");
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThan(990);
  });

  test("a registry that never answers", async () => {
    using server = serve(() => new Promise<Response>(() => {}));
    const client = clientOf(`registry=${server.url}`, { timeouts: { idleMs: 60, totalMs: 5000 } });
    const failure = await failureOf(() => get(client));
    expect(failure.code).toBe("CSP_REGISTRY_UNREACHABLE");
    expect(failure.message).toContain("sent nothing for 60 ms");
  });

  test("one that stops in the middle", async () => {
    using server = serveRaw(() => ({ bytes: "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc", hang: true }));
    const client = clientOf(`registry=${server.url}`, { timeouts: { idleMs: 60, totalMs: 5000 } });
    expect((await failureOf(() => get(client))).message).toContain("sent nothing for 60 ms");
  });

  test("one that drips without end", async () => {
    using server = serve(() => {
      const drip = async function* () {
        for (;;) {
          yield "x";
          await Bun.sleep(10);
        }
      };
      return new Response(drip as unknown as ReadableStream);
    });
    const client = clientOf(`registry=${server.url}`, { timeouts: { idleMs: 1000, totalMs: 120 } });
    expect((await failureOf(() => get(client))).message).toContain("did not finish its answer within 120 ms");
  });

  test("a body that is cut", async () => {
    using server = serveRaw(() => ({ bytes: "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc" }));
    const failure = await failureOf(() => get(clientOf(`registry=${server.url}`)));
    expect(failure.code).toBe("CSP_REGISTRY_UNREACHABLE");
    expect(failure.message).toContain("closed the connection before the answer was complete");
  });

  test("a body that is longer than the limit, announced or not", async () => {
    using server = serve((__, attempt) => {
      const large = "x".repeat(1001);
      return new Response(attempt === 1 ? large : new Blob([large]).stream());
    });
    for (let attempt = 1; attempt <= 2; attempt++) {
      const failure = await failureOf(() => get(clientOf(`registry=${server.url}`, { retries: 1 })));
      expect(failure.code).toBe("CSP_REGISTRY_ANSWER");
      expect(failure.message).toContain("larger than the limit of 1000 bytes");
    }
    expect(server.seen).toHaveLength(2);
  });

  test("one that announces too much is not read", async () => {
    using server = serveRaw(() => ({ bytes: "HTTP/1.1 200 OK\r\ncontent-length: 1001\r\n\r\nabc", hang: true }));
    expect((await failureOf(() => get(clientOf(`registry=${server.url}`)))).message).toContain("larger than the limit");
  });

  test("one that never ends is read no further than the limit", async () => {
    using server = serve(() => {
      const flood = async function* () {
        for (;;) {
          yield "x".repeat(100);
          await Bun.sleep(1);
        }
      };
      return new Response(flood as unknown as ReadableStream);
    });
    expect((await failureOf(() => get(clientOf(`registry=${server.url}`)))).message).toContain("larger than the limit");
  });

  test("one that is slow but alive is waited for", async () => {
    using server = serve(() => {
      const trickle = async function* () {
        for (let chunk = 0; chunk < 8; chunk++) {
          yield "x";
          await Bun.sleep(90);
        }
      };
      return new Response(trickle as unknown as ReadableStream);
    });
    const client = clientOf(`registry=${server.url}`, { timeouts: { idleMs: 600, totalMs: 60_000 } });
    expect(text(await get(client))).toBe("xxxxxxxx");
  });

  test("an HTML page", async () => {
    using server = serve(() => new Response("<html>", { headers: { "content-type": "text/html; charset=utf-8" } }));
    const failure = await failureOf(() => get(clientOf(`registry=${server.url}`)));
    expect(failure.code).toBe("CSP_REGISTRY_ANSWER");
    expect(failure.hint).toContain("sign-in page");
  });

  test("a connection that is refused", async () => {
    let url: string;
    {
      using server = serve(() => new Response(""));
      ({ url } = server);
    }
    expect((await failureOf(() => get(clientOf(`registry=${url}`)))).message).toContain("ECONNREFUSED");
  });

  test("content encodings: none touches the bytes of a gzip", async () => {
    const tarball = Bun.gzipSync("tarball");
    const encoded: [encoding: string, body: Uint8Array, result: Uint8Array][] = [
      // Labelled though nothing was added.
      ["gzip", tarball, tarball],
      // One layer added on the way.
      ["gzip", Bun.gzipSync(tarball), tarball],
      ["identity", tarball, tarball],
    ];
    for (const [encoding, body, result] of encoded) {
      using server = serve(
        () => new Response(body as Uint8Array<ArrayBuffer>, { headers: { "content-encoding": encoding } }),
      );
      expect(Buffer.from(await get(clientOf(`registry=${server.url}`))).equals(result)).toBe(true);
    }
    using server = serve(() => new Response("x", { headers: { "content-encoding": "br" } }));
    expect((await failureOf(() => get(clientOf(`registry=${server.url}`)))).code).toBe("CSP_REGISTRY_ANSWER");
  });

  test("offline opens no socket", async () => {
    using server = serve(() => new Response("x"));
    const failure = await failureOf(() => get(clientOf(`registry=${server.url}`, { offline: true })));
    expect([failure.code, server.seen.length]).toEqual(["CSP_OFFLINE", 0]);
  });

  test("the caller's signal ends it with the caller's reason", async () => {
    using server = serve(() => new Promise<Response>(() => {}));
    const controller = new AbortController();
    const reason = new Error("interrupted by the user");
    const waiting = get(clientOf(`registry=${server.url}`, { signal: controller.signal, retries: 5 }));
    controller.abort(reason);
    expect(await waiting.catch((error: unknown) => error)).toBe(reason);
    const before = server.seen.length;
    const late = get(clientOf(`registry=${server.url}`, { signal: controller.signal, retries: 5 }));
    expect(await late.catch((error: unknown) => error)).toBe(reason);
    expect(server.seen).toHaveLength(before);
  });
});

test("a tarball is asked for again where its body breaks", async () => {
  using server = serveRaw((attempt) => ({
    bytes: `HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\n${attempt === 1 ? "by" : "bytes"}`,
  }));
  const bytes = await clientOf(`registry=${server.url}`, { retries: 1 }).tarballBytes(q, limit);
  expect([text(bytes), server.seen.length]).toEqual(["bytes", 2]);
});

test("a consumer that takes its time is not the server's silence", async () => {
  const large = new Uint8Array(4_000_000);
  using server = serve(() => new Response(large));
  const client = clientOf(`registry=${server.url}`, { timeouts: { idleMs: 300, totalMs: 60_000 } });
  const { body } = await client.tarball(q, { maxBytes: large.length });
  const reader = body.getReader();
  let length = (await reader.read()).value?.byteLength ?? 0;
  await Bun.sleep(600);
  for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) length += chunk.value.byteLength;
  expect(length).toBe(large.length);
});

test("64 at once, 1,450 in all", async () => {
  using server = serve(() => new Response("x".repeat(900)));
  const client = clientOf(`registry=${server.url}`);
  let started = 0;
  const worker = async (): Promise<void> => {
    while (started < 1450) {
      started++;
      await client.tarballBytes(q, limit);
    }
  };
  await Promise.all(Array.from({ length: 64 }, worker));
  expect(server.seen).toHaveLength(1450);
});
