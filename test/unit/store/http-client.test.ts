/** Addresses, tokens, redirects and proxies of stores behind HTTP. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import { openHttpStore } from "../../../src/store/http.ts";
import { createMemoryStore } from "../../../src/store/memory.ts";
import { openStore } from "../../../src/store/open.ts";
import type { Store } from "../../../src/store/store.ts";
import { type Certificate, selfSigned } from "../../support/certificate.ts";
import { type Fault, type FaultServer, type RawRequest, reply, startFaultServer } from "../../support/fault-server.ts";
import { type ServedStore, serveOver } from "../../support/servers/serve.ts";
import { makeTemp, removeTree } from "../../support/temp.ts";
import { bytesOf, codeOf, expectSame, newKey } from "./objects.ts";

const secret = "s3cret-token-0123456789";
const bytes = bytesOf(100, 1);
/** Makes keys without a request. */
const keys = createMemoryStore();
const servers: FaultServer[] = [];
let temp = "";

beforeEach(() => {
  temp = makeTemp();
});
afterEach(() => {
  for (const server of servers.splice(0)) server.stop();
  removeTree(temp);
});

async function start(answer: (request: RawRequest) => Fault, certificate?: Certificate): Promise<FaultServer> {
  const server = await startFaultServer(answer, certificate);
  servers.push(server);
  return server;
}

function open(address: string, env: Record<string, string> = {}): Store {
  return openHttpStore(address, {
    env,
    home: undefined,
    userAgent: "csp/1.2.3",
    timeouts: { idleMs: 2000, totalMs: 4000 },
  });
}

const get = async (store: Store): Promise<Uint8Array> => store.blobs.get(await newKey(keys, bytes), { maxBytes: 1000 });
const redirect = (location: string, status = 302): Fault => reply(status, "", { location });

describe("an address", () => {
  test("is shown without its slash at the end", () => {
    expect(open("HTTPS://Store.Example.com:443/a/b//").address).toBe("https://store.example.com/a/b");
    expect(open("http://127.0.0.1:8723").address).toBe("http://127.0.0.1:8723");
  });

  for (const address of [
    `https://user:${secret}@store.example.com/`,
    `https://${secret}@store.example.com/`,
    `https://store.example.com/?token=${secret}`,
    `https://store.example.com/#${secret}`,
    "https://",
    "http://[",
  ]) {
    test(`is refused, and not shown: ${address.replace(secret, "…")}`, async () => {
      const error = await openStore(address, { env: {}, home: undefined, userAgent: "x" }).catch((thrown) => thrown);
      expect(error.code).toBe("CSP_STORE_ADDRESS");
      expect(JSON.stringify([error.message, error.details, error.hint, error.data])).not.toContain(secret);
    });
  }

  test("may have a path, which goes before everything", async () => {
    const server = await start(() => reply(200, bytes));
    const store = open(`${server.url}/a/b/`);
    const key = await newKey(keys, bytes);
    await store.blobs.get(key, { maxBytes: 100 });
    expect(server.seen[0]).toMatchObject({ path: `/a/b/${key}`, headers: { "user-agent": "csp/1.2.3" } });
  });
});

describe("a token", () => {
  const sentWith = async (env: Record<string, string>, path = ""): Promise<string | undefined> => {
    const server = await start(() => reply(200, bytes));
    const filled = Object.fromEntries(
      Object.entries(env).map(([name, value]) => [name, value.replace("$URL", server.url)]),
    );
    await get(open(`${server.url}${path}`, filled));
    return server.seen[0]?.headers.authorization;
  };
  const inFile = (text: string): Record<string, string> => {
    writeFileSync(`${temp}/token`, text);
    return { CSP_STORE_TOKEN_FILE: `${temp}/token` };
  };

  test("comes from the environment, or from a file", async () => {
    expect(await sentWith({})).toBeUndefined();
    expect(await sentWith({ CSP_STORE_TOKEN: "" })).toBeUndefined();
    expect(await sentWith({ CSP_STORE_TOKEN: `${secret}\n` })).toBe(`Bearer ${secret}`);
    expect(await sentWith(inFile(`# for csp\n\n  ${secret}\r\n`))).toBe(`Bearer ${secret}`);
    expect(await sentWith({ CSP_STORE_TOKEN: secret, ...inFile("other") })).toBe(`Bearer ${secret}`);
  });

  test("may be for some addresses alone, the longest counts", async () => {
    const server = await start(() => reply(200, bytes));
    const lines = [`${server.url}/a a-token`, `${server.url}/a/b b-token`, "https://elsewhere.example.com c-token"];
    const env = inFile(lines.join("\n"));
    for (const path of ["/a", "/a/", "/a/b/c", "/ab", ""]) await get(open(`${server.url}${path}`, env));
    expect(server.seen.map(({ headers }) => headers.authorization)).toEqual([
      "Bearer a-token",
      "Bearer a-token",
      "Bearer b-token",
      undefined,
      undefined,
    ]);
    const fallback = inFile([...lines, "usual"].join("\n"));
    await get(open(`${server.url}/ab`, fallback));
    expect(server.seen.at(-1)?.headers.authorization).toBe("Bearer usual");
  });

  test("that is none, or cannot be read, is said at once, and not shown", () => {
    const bad = [
      { CSP_STORE_TOKEN: `${secret} ${secret}` },
      { CSP_STORE_TOKEN: `${secret}\u00e9` },
      inFile(`${secret} ${secret} ${secret}`),
      { CSP_STORE_TOKEN_FILE: `${temp}/absent` },
    ];
    for (const env of bad) {
      const attempt = (): Store => open("http://127.0.0.1:1", env);
      expect(attempt).toThrow(expect.objectContaining({ code: "CSP_STORE_SETTINGS" }));
      expect(attempt).not.toThrow(secret);
    }
  });

  test("is read again where the server no longer knows it", async () => {
    const served = await serveOver(createMemoryStore(), { closed: true });
    const store = open(served.url, inFile("an-old-token-0123456789"));
    expect(await codeOf(store.root.read())).toBe("CSP_STORE_DENIED");
    inFile(served.writeToken);
    expect(await store.root.read()).toBeUndefined();
    expect(await store.root.swap(undefined, "{}")).toBe("etag:1");
    rmSync(`${temp}/token`);
    expect(await store.root.read()).toMatchObject({ version: "etag:1" });
    await served.stop();
  });
});

describe("a redirect", () => {
  test.each([301, 302, 303, 307, 308])("%d is followed on the same origin with the token", async (status) => {
    const server = await start(({ path }) =>
      path.startsWith("/blobs/") ? redirect("/moved", status) : reply(200, bytes),
    );
    expectSame(await get(open(server.url, { CSP_STORE_TOKEN: secret })), bytes);
    expect(server.seen.map(({ headers }) => headers.authorization)).toEqual([`Bearer ${secret}`, `Bearer ${secret}`]);
  });

  test("to another origin is followed without, and the way back has it again", async () => {
    const other = await start(({ path }) =>
      path === "/signed?x=1" ? redirect(`${server.url}/back`) : reply(200, bytes),
    );
    const server = await start(({ path }) =>
      path === "/back" ? reply(200, bytes) : redirect(`${other.url}/signed?x=1`),
    );
    expectSame(await get(open(server.url, { CSP_STORE_TOKEN: secret })), bytes);
    expect(other.seen.length).toBe(1);
    expect(other.saw(secret)).toEqual([]);
    expect(Object.keys(other.seen[0]?.headers ?? {}).sort()).toEqual([
      "accept",
      "accept-encoding",
      "connection",
      "host",
      "user-agent",
    ]);
    expect(server.saw(secret).map(({ path }) => path.slice(0, 6))).toEqual(["/blobs", "/back"]);
  });

  test("of what changes the store is not followed", async () => {
    const other = await start(() => reply(204));
    const server = await start(({ path }) =>
      path === "/csp-store.json"
        ? reply(200, '{"format":1,"serve":{"writers":"many"}}', { "csp-serve": "1" })
        : redirect(`${other.url}/x`, 307),
    );
    const store = open(server.url, { CSP_STORE_TOKEN: secret });
    const key = await newKey(keys, bytes);
    expect(await codeOf(store.blobs.put(key, bytes))).toBe("CSP_STORE_ANSWER");
    expect(await codeOf(store.blobs.delete(key))).toBe("CSP_STORE_ANSWER");
    expect(await codeOf(store.root.swap(undefined, "{}"))).toBe("CSP_STORE_ANSWER");
    expect(other.seen).toEqual([]);
  });

  test("that goes on is not followed for ever", async () => {
    const server = await start(({ path }) => redirect(`/${Number(/^\/(\d+)$/.exec(path)?.[1] ?? 0) + 1}`));
    await expect(get(open(server.url))).rejects.toThrow("more than 5 times");
    expect(server.seen.length).toBe(6);
  });
});

const withOpenssl = test.skipIf(Bun.which("openssl") === null);

describe("TLS", () => {
  withOpenssl("a certificate of nobody known is told, and no request is made (needs openssl)", async () => {
    const server = await start(() => reply(200, bytes), selfSigned());
    const error = await get(open(server.url, { CSP_STORE_TOKEN: secret })).catch((thrown) => thrown);
    expect(error).toMatchObject({
      code: "CSP_STORE_UNREACHABLE",
      hint: expect.stringContaining("NODE_EXTRA_CA_CERTS"),
    });
    expect(error.message).toContain("certificate that is not trusted");
    expect(server.seen).toEqual([]);
  });

  withOpenssl("a server without it where it is expected, and the other way round (needs openssl)", async () => {
    const plain = await start(() => reply(200, bytes));
    const secure = await start(() => reply(200, bytes), selfSigned());
    for (const address of [plain.url.replace("http:", "https:"), secure.url.replace("https:", "http:")]) {
      const code = await codeOf(get(open(address, { CSP_STORE_TOKEN: secret })));
      expect(["CSP_STORE_UNREACHABLE", "CSP_STORE_ANSWER"]).toContain(code);
    }
    expect([...plain.seen, ...secure.seen].filter((request) => JSON.stringify(request).includes(secret))).toEqual([]);
  });

  withOpenssl("an authority of one's own, and no way from https to http (needs openssl)", async () => {
    const certificate = selfSigned();
    writeFileSync(`${temp}/ca.pem`, certificate.cert);
    const plain = await start(() => reply(200, bytes));
    const secure = await start(
      ({ path }) => (path.startsWith("/down/") ? redirect(`${plain.url}/x`) : reply(200, bytes)),
      certificate,
    );
    // bun reads the variable when it starts.
    const program = `
      const { openHttpStore } = await import(${JSON.stringify(`${import.meta.dir}/../../../src/store/http.ts`)});
      for (const path of ["", "/down"]) {
        const store = openHttpStore("${secure.url}" + path, { env: {}, home: undefined, userAgent: "x" });
        const key = "blobs/" + "0".repeat(128) + "." + "0".repeat(32);
        console.log(await store.blobs.get(key, { maxBytes: 100 }).then((got) => got.length, (error) => error.message));
      }`;
    for (const name of ["NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE"]) {
      const child = Bun.spawn([process.execPath, "-e", program], {
        env: { [name]: `${temp}/ca.pem` },
        stderr: "inherit",
      });
      const [first, second] = (await new Response(child.stdout).text()).split("\n");
      expect(first).toBe("100");
      expect(second).toContain("redirects from https to http");
    }
    expect(plain.seen).toEqual([]);
  });
});

describe("a proxy", () => {
  test("of the environment is used, but where it is excepted", async () => {
    const server = await start(() => reply(200, bytes));
    const proxy = await start(() => reply(200, bytes));
    for (const env of [
      { HTTP_PROXY: proxy.url },
      { http_proxy: proxy.url.replace("http://", "") },
      { ALL_PROXY: proxy.url.replace("http://", "http://user:password@") },
    ] as Record<string, string>[]) {
      expectSame(await get(open(`${server.url}/base`, env)), bytes);
      expect(proxy.seen.at(-1)?.path).toStartWith(`${server.url}/base/blobs/`);
    }
    expect(proxy.seen.at(-1)?.headers["proxy-authorization"]).toBe(`Basic ${btoa("user:password")}`);
    expect([proxy.seen.length, server.seen.length]).toEqual([3, 0]);
    for (const noProxy of ["127.0.0.1", "*", "example.com, 127.0.0.1"]) {
      await get(open(server.url, { HTTP_PROXY: proxy.url, NO_PROXY: noProxy }));
    }
    await get(open(server.url, { HTTPS_PROXY: proxy.url }));
    expect([proxy.seen.length, server.seen.length]).toEqual([3, 4]);
  });

  test("that is none is said at once, without its password", () => {
    const attempt = (): Store => open("http://127.0.0.1:1", { HTTP_PROXY: `ftp://user:${secret}@proxy.example.com` });
    expect(attempt).toThrow(expect.objectContaining({ code: "CSP_CONFIG" }));
    expect(attempt).not.toThrow(secret);
  });
});

describe("the end", () => {
  let served: ServedStore;
  beforeEach(async () => {
    served = await serveOver(createMemoryStore());
  });
  afterEach(() => served.stop());

  test("of the store ends what is under way", async () => {
    const store = served.client();
    const version = await store.root.swap(undefined, "{}");
    const waiting = store.root.read(version, { wait: 30_000 });
    await store.close();
    await expect(waiting).rejects.toThrow("the store was closed");
  });

  test("by a signal throws its reason", async () => {
    const controller = new AbortController();
    const store = served.client({ signal: controller.signal });
    const version = await store.root.swap(undefined, "{}");
    const waiting = store.root.read(version, { wait: 30_000 });
    controller.abort(new Error("enough"));
    await expect(waiting).rejects.toThrow("enough");
    await expect(store.root.read()).rejects.toThrow("enough");
  });
});
