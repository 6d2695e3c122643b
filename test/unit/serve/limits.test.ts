/** Clients that are slow, many, or ask for too much: the server stays, and others are served. */
import { afterEach, describe, expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { createMemoryStore } from "../../../src/store/memory.ts";
import type { Store } from "../../../src/store/store.ts";
import { selfSigned } from "../../support/certificate.ts";
import { type ServedStore, type ServeTestOptions, serveOver } from "../../support/servers/serve.ts";
import { bytesOf, expectSame, newKey, putNew } from "../store/objects.ts";
import { drip, exchange, send, statusOf } from "./raw.ts";

const running: ServedStore[] = [];
afterEach(async () => {
  for (const served of running.splice(0)) {
    await served.stop();
    expect(served.defects).toEqual([]);
  }
});

async function serve(limits: ServeTestOptions["limits"], store: Store = createMemoryStore()): Promise<ServedStore> {
  const served = await serveOver(store, { limits: { drainMs: 100, ...limits } });
  running.push(served);
  return served;
}

async function isWell(served: ServedStore): Promise<boolean> {
  return (await fetch(`${served.url}/healthz`)).status === 200;
}

const auth = ({ writeToken }: ServedStore): string => `Authorization: Bearer ${writeToken}`;

describe("a connection", () => {
  const drivers: Readonly<Record<string, (socket: Socket) => void>> = {
    "that says nothing": () => {},
    "that says half a line": (socket) => void socket.write("GET /ro"),
    "whose head drips": (socket) => {
      socket.write("GET /root HTTP/1.1\r\nHost: x\r\nX: ");
      drip(socket, "y", 20);
    },
    "whose head has no end": (socket) => {
      socket.write("GET /root HTTP/1.1\r\nHost: x\r\n");
      drip(socket, `X-${"y".repeat(500)}: z\r\n`, 5);
    },
    "that is none of HTTP": (socket) => void socket.write("\x16\x03\x01\x02\x00\x01\x00"),
  };
  for (const [name, drive] of Object.entries(drivers)) {
    test(`${name} is closed`, async () => {
      const served = await serve({ headMs: 200, keepAliveMs: 200 });
      const { closed, ms } = await exchange(served.url, drive);
      expect(closed).toBe(true);
      expect(ms).toBeLessThan(2000);
      expect(await isWell(served)).toBe(true);
    });
  }

  test("may ask again, and is closed when it does not, or only drips", async () => {
    const served = await serve({ headMs: 5000, keepAliveMs: 300 });
    const head = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    const idle = await exchange(served.url, (socket) => {
      socket.write(head);
      socket.once("data", () => socket.write(head));
    });
    expect(idle.text.match(/HTTP\/1\.1 200/g)?.length).toBe(2);
    const dripping = await exchange(served.url, (socket) => {
      socket.write(`${head}GET /healthz HTTP/1.1\r\nX: `);
      drip(socket, "y", 20);
    });
    for (const { closed, ms } of [idle, dripping]) {
      expect(closed).toBe(true);
      expect(ms).toBeLessThan(2500);
    }
  });

  test("one too many is closed, and there is room again later", async () => {
    const served = await serve({ connections: 3 });
    const { port } = new URL(served.url);
    const held = await Promise.all(
      Array.from({ length: 3 }, async () => {
        const socket = connect(Number(port), "127.0.0.1");
        socket.on("error", () => {});
        socket.write("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
        await new Promise((resolve) => socket.once("data", resolve));
        return socket;
      }),
    );
    expect(await send(served.url, "GET /healthz HTTP/1.1")).toBe("");
    for (const socket of held) socket.destroy();
    for (let tries = 0; tries < 100 && (await send(served.url, "GET /healthz HTTP/1.1")) === ""; tries++)
      await Bun.sleep(10);
    expect(statusOf(await send(served.url, "GET /healthz HTTP/1.1"))).toBe(200);
  });

  test("with a head of 100 KB is refused", async () => {
    const served = await serve({});
    expect(statusOf(await send(served.url, "GET /healthz HTTP/1.1", [`X: ${"y".repeat(100_000)}`]))).toBe(431);
    expect(statusOf(await send(served.url, `GET /${"y".repeat(100_000)} HTTP/1.1`))).toBe(431);
  });
});

describe("a body", () => {
  test("that drips, stops, or is cut off changes nothing", async () => {
    const store = createMemoryStore();
    const served = await serve({ idleMs: 200, totalMs: 1000 }, store);
    const bytes = bytesOf(1000, 1);
    const key = await newKey(store, bytes);
    const head = `PUT /${key} HTTP/1.1\r\nHost: x\r\n${auth(served)}\r\nContent-Length: 1000\r\n\r\n`;
    const begin = (socket: Socket): void =>
      void socket.write(Buffer.concat([Buffer.from(head), bytes.subarray(0, 500)]));
    const outcomes = await Promise.all([
      exchange(served.url, begin),
      exchange(served.url, (socket) => {
        socket.write(head);
        drip(socket, "x", 20);
      }),
      exchange(served.url, (socket) => {
        begin(socket);
        setTimeout(() => socket.end(), 50);
      }),
    ]);
    for (const { closed, ms } of outcomes) {
      expect(closed).toBe(true);
      expect(ms).toBeLessThan(3000);
    }
    expect(await store.blobs.size(key)).toBeUndefined();
    expect(await isWell(served)).toBe(true);
  });

  test("that is too long, or of unknown length, is not taken", async () => {
    const store = createMemoryStore();
    const served = await serve({ maxObjectBytes: 1000 }, store);
    const bytes = bytesOf(1001, 2);
    const key = await newKey(store, bytes);
    const put = (headers: string[], body = ""): Promise<string> =>
      send(served.url, `PUT /${key} HTTP/1.1`, [auth(served), ...headers], body);
    expect(statusOf(await put(["Content-Length: 1001"], "x".repeat(1001)))).toBe(413);
    expect(statusOf(await put(["Content-Length: 999999999999"]))).toBe(413);
    expect(statusOf(await put(["Transfer-Encoding: chunked"], "5\r\nhello\r\n0\r\n\r\n"))).toBe(411);
    expect(
      statusOf(
        await send(served.url, "PUT /root HTTP/1.1", [auth(served), "If-None-Match: *", "Content-Length: 99999999"]),
      ),
    ).toBe(413);
    expect(await store.blobs.size(key)).toBeUndefined();
  });

  test("that nobody reads is no next request", async () => {
    const served = await serve({});
    const hidden = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
    const { text } = await exchange(
      served.url,
      (socket) => {
        socket.write(`PUT /root HTTP/1.1\r\nHost: x\r\nContent-Length: ${hidden.length}\r\n\r\n${hidden}`);
      },
      /\r\n\r\n.*\n$/s,
    );
    expect(text.match(/HTTP\/1\.1 /g)?.length).toBe(1);
    expect(statusOf(text)).toBe(401);
    expect(text.toLowerCase()).toContain("connection: close");
  });

  test("asked for with `Expect` is waited for", async () => {
    const store = createMemoryStore();
    const served = await serve({}, store);
    const bytes = bytesOf(100, 3);
    const key = await newKey(store, bytes);
    await exchange(
      served.url,
      (socket) => {
        socket.write(
          `PUT /${key} HTTP/1.1\r\nHost: x\r\n${auth(served)}\r\nExpect: 100-continue\r\nContent-Length: 100\r\n\r\n`,
        );
        socket.once("data", () => socket.write(bytes));
      },
      / 204 /,
    );
    expect(await store.blobs.size(key)).toBe(100);
  });
});

describe("a reader", () => {
  const large = bytesOf(24_000_000, 4);

  test("that does not read is let go, and its memory is free again", async () => {
    const store = createMemoryStore();
    const key = await putNew(store, large);
    const served = await serve({ idleMs: 300, memoryBytes: 30_000_000 }, store);
    const stuck = Array.from({ length: 3 }, () =>
      exchange(served.url, (socket) => {
        socket.write(`GET /${key} HTTP/1.1\r\nHost: x\r\n\r\n`);
        socket.pause();
      }),
    );
    // One at a time fits into the memory, so this one waits until those before it are let go.
    expectSame(await served.client().blobs.get(key, { maxBytes: 30_000_000 }), large);
    await Promise.all(stuck);
    expect(await (await fetch(`${served.url}/metrics`)).text()).toContain("\ncsp_serve_memory_bytes 0\n");
  });

  test("that reads slowly, but reads, has its time", async () => {
    const store = createMemoryStore();
    const key = await putNew(store, large.slice(0, 8_000_000));
    const served = await serve({ idleMs: 400 }, store);
    let received = 0;
    await exchange(served.url, (socket) => {
      socket.write(`GET /${key} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
      socket.on("data", (chunk) => {
        received += chunk.length;
        socket.pause();
        setTimeout(() => socket.resume(), 5);
      });
    });
    expect(received).toBeGreaterThan(8_000_000);
  });

  test("that goes away leaves nothing behind", async () => {
    const store = createMemoryStore();
    const key = await putNew(store, large);
    const served = await serve({}, store);
    for (let n = 0; n < 5; n++) {
      await exchange(served.url, (socket) => void socket.write(`GET /${key} HTTP/1.1\r\nHost: x\r\n\r\n`), /200 OK/);
    }
    for (let tries = 0; tries < 200 && served.log.length < 5; tries++) await Bun.sleep(5);
    const page = await (await fetch(`${served.url}/metrics`)).text();
    expect(page).toContain("\ncsp_serve_memory_bytes 0\n");
    expect(page).toContain("\ncsp_http_requests_active 1\n");
  });
});

describe("many at once", () => {
  test("beyond the limit are asked to come again, and health is always told", async () => {
    const gate = Promise.withResolvers<void>();
    const memory = createMemoryStore();
    const key = await putNew(memory, bytesOf(10, 5));
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
    const served = await serve({ requests: 4 }, slow);
    const answers = Array.from({ length: 10 }, () => fetch(`${served.url}/${key}`));
    const refused = await Promise.race(answers);
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "1"]);
    expect(await isWell(served)).toBe(true);
    gate.resolve();
    const statuses = (await Promise.all(answers)).map(({ status }) => status).sort();
    expect(statuses).toEqual([200, 200, 200, 200, 503, 503, 503, 503, 503, 503]);
  });
});

const withOpenssl = test.skipIf(Bun.which("openssl") === null);

describe("with TLS", () => {
  withOpenssl(
    "a handshake that does not end is let go, and so are slow heads behind one that did (needs openssl)",
    async () => {
      const tls = selfSigned();
      const store = createMemoryStore();
      const bytes = bytesOf(3_000_000, 6);
      const key = await putNew(store, bytes);
      const served = await serveOver(store, { tls, limits: { headMs: 300, keepAliveMs: 300, drainMs: 100 } });
      running.push(served);
      const get = async (): Promise<Uint8Array> =>
        (await fetch(`${served.url}/${key}`, { tls: { ca: tls.cert } } as RequestInit)).bytes();
      expectSame(await get(), bytes);
      const raw = served.url.replace("https:", "http:");
      const outcomes = await Promise.all([
        exchange(raw, () => {}),
        exchange(raw, (socket) => void socket.write("\x16\x03\x01")),
        exchange(raw, (socket) => void socket.write("GET /root HTTP/1.1\r\nHost: x\r\n\r\n")),
      ]);
      for (const { closed, ms, text } of outcomes) {
        expect(closed).toBe(true);
        expect(ms).toBeLessThan(2000);
        expect(text).not.toContain("HTTP/1.1 200");
      }
      expectSame(await get(), bytes);
      for (let tries = 0; tries < 100 && served.log.length < 2; tries++) await Bun.sleep(5);
      expect(served.log.map(({ remote, status }) => [remote, status])).toEqual([
        ["127.0.0.1", 200],
        ["127.0.0.1", 200],
      ]);
    },
  );
});
