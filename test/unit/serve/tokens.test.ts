/** Who may do what, and how that changes while the server runs. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import type { CspError } from "../../../src/core/errors.ts";
import { openTokens } from "../../../src/ops/serve/tokens.ts";
import { createMemoryStore } from "../../../src/store/memory.ts";
import type { Store } from "../../../src/store/store.ts";
import { type ServedStore, serveOver } from "../../support/servers/serve.ts";
import { makeTemp, removeTree } from "../../support/temp.ts";
import { bytesOf, codeOf, listed, newKey, putNew } from "../store/objects.ts";

describe("without a token to read", () => {
  let served: ServedStore;
  let store: Store;
  beforeEach(async () => {
    store = createMemoryStore();
    served = await serveOver(store);
  });
  afterEach(() => served.stop());

  test("everybody reads, and nobody writes without one", async () => {
    const key = await putNew(store, bytesOf(10, 1));
    const before = await listed(store);
    for (const token of [null, "not-the-right-token", served.readToken, `${served.writeToken}x`]) {
      const client = served.client({ token });
      expect((await client.blobs.get(key, { maxBytes: 10 })).length).toBe(10);
      const bytes = bytesOf(11, 2);
      expect(await codeOf(client.root.swap(undefined, "{}"))).toBe("CSP_STORE_DENIED");
      expect(await codeOf(client.blobs.put(await newKey(client, bytes), bytes))).toBe("CSP_STORE_DENIED");
      expect(await codeOf(client.blobs.delete(key))).toBe("CSP_STORE_DENIED");
    }
    expect(await listed(store)).toEqual(before);
    expect(await store.root.read()).toBeUndefined();
  });
});

describe("with tokens", () => {
  let served: ServedStore;
  let store: Store;
  beforeEach(async () => {
    store = createMemoryStore();
    served = await serveOver(store, { closed: true });
  });
  afterEach(() => served.stop());

  test("nobody else learns anything, not even what there is", async () => {
    const key = await putNew(store, bytesOf(10, 1));
    await store.root.swap(undefined, "{}");
    const absent = await newKey(store, bytesOf(10, 1));
    for (const path of [`/${key}`, `/${absent}`, "/root", "/objects", "/csp-store.json", "/metrics", "/nothing"]) {
      for (const method of ["GET", "HEAD", "PUT", "DELETE", "POST"]) {
        const answer = await fetch(`${served.url}${path}`, {
          method,
          headers: { authorization: "Bearer wrong-token-0123" },
        });
        expect([path, answer.status]).toEqual([path, 401]);
        expect(answer.headers.get("www-authenticate")).toBe('Bearer realm="csp"');
      }
    }
    expect(await store.blobs.size(key)).toBe(10);
  });

  test("health is told to everybody", async () => {
    for (const path of ["/healthz", "/healthz/live", "/healthz/ready"]) {
      expect((await fetch(`${served.url}${path}`)).status).toBe(200);
    }
  });

  test("a reader reads, a writer does both", async () => {
    const bytes = bytesOf(10, 2);
    const writer = served.client();
    const key = await putNew(writer, bytes);
    const reader = served.client({ token: served.readToken });
    expect(await reader.blobs.size(key)).toBe(10);
    expect([...(await listed(reader)).keys()]).toEqual([key]);
    expect(await codeOf(reader.blobs.delete(key))).toBe("CSP_STORE_DENIED");
    expect(await reader.capabilities()).toMatchObject({ writers: "none" });
    expect(await writer.capabilities()).toEqual({ writers: "many" });
  });

  test("caches that others use are told to keep out", async () => {
    const key = await putNew(store, bytesOf(10, 3));
    const answer = await fetch(`${served.url}/${key}`, { headers: { authorization: `Bearer ${served.readToken}` } });
    expect(answer.headers.get("cache-control")).toBe("private, max-age=31536000, immutable");
  });

  test("other forms of credentials are none", async () => {
    const { readToken } = served;
    const forms = [
      `Basic ${btoa(`x:${readToken}`)}`,
      readToken,
      `Bearer  ${readToken}`,
      `Bearer ${readToken} x`,
      "Bearer",
    ];
    for (const authorization of forms) {
      expect((await fetch(`${served.url}/root`, { headers: { authorization } })).status).toBe(401);
    }
    const scheme = { headers: { authorization: `bearer ${readToken}` } };
    expect((await fetch(`${served.url}/root`, scheme)).status).toBe(404);
  });
});

describe("a token file", () => {
  let temp = "";
  let clock = 0;
  const problems: CspError[] = [];
  const open = (): ReturnType<typeof openTokens> =>
    openTokens(
      `${temp}/tokens`,
      () => clock,
      (error) => problems.push(error),
    );
  const one = "first-token-0123456789";
  const other = "other-token-0123456789";

  beforeEach(() => {
    temp = makeTemp();
    clock = 1_000_000;
    problems.length = 0;
  });
  afterEach(() => removeTree(temp));

  test("has one token a line, and comments", () => {
    writeFileSync(`${temp}/tokens`, `# CI\n${one}\r\n\n   ${other}  \n#${one}x\n`);
    const tokens = open();
    for (const token of [one, other]) expect(tokens.accepts(token)).toBe(true);
    for (const token of ["", "#", `#${one}x`, `${one}x`, one.slice(0, -1), one.toUpperCase(), "# CI"]) {
      expect(tokens.accepts(token)).toBe(false);
    }
  });

  test("that cannot be used is said by its line, without the token", () => {
    for (const text of ["", "# none\n", "short\n", `${one} ${one}\n`, `${one}\u00e9\n`, `${one}\n\x00${one}`]) {
      writeFileSync(`${temp}/tokens`, text);
      expect(open).toThrow(expect.objectContaining({ code: "CSP_CONFIG" }));
      expect(open).not.toThrow(one);
    }
    rmSync(`${temp}/tokens`);
    expect(open).toThrow("ENOENT");
  });

  test("counts as it is now, a second later at most, and at once when told", () => {
    writeFileSync(`${temp}/tokens`, one);
    const tokens = open();
    writeFileSync(`${temp}/tokens`, `${one}\n${other}`);
    expect(tokens.accepts(other)).toBe(false);
    clock += 1000;
    expect(tokens.accepts(other)).toBe(true);
    writeFileSync(`${temp}/tokens`, other);
    tokens.reload();
    expect(tokens.accepts(one)).toBe(false);
    expect(problems).toEqual([]);
  });

  test("that is spoiled later leaves the tokens as they were, and says so once", () => {
    writeFileSync(`${temp}/tokens`, one);
    const tokens = open();
    rmSync(`${temp}/tokens`);
    for (let n = 0; n < 3; n++) {
      clock += 1000;
      expect(tokens.accepts(one)).toBe(true);
    }
    expect(problems.map(({ code }) => code)).toEqual(["CSP_CONFIG"]);
    expect(tokens.reload).toThrow("cannot be read");
    writeFileSync(`${temp}/tokens`, other);
    clock += 1000;
    expect([tokens.accepts(one), tokens.accepts(other)]).toEqual([false, true]);
  });
});
