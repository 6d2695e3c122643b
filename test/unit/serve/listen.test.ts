/** Where the server listens. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, writeFileSync } from "node:fs";
import { isLocal, parseListen } from "../../../src/ops/serve/listen.ts";
import { startServing } from "../../../src/ops/serve.ts";
import { createMemoryStore } from "../../../src/store/memory.ts";
import { makeTemp, removeTree } from "../../support/temp.ts";
import { codeOf } from "../store/objects.ts";

let temp = "";
beforeEach(() => {
  temp = makeTemp();
});
afterEach(() => removeTree(temp));

function serve(listen: string): ReturnType<typeof startServing> {
  return startServing({
    store: createMemoryStore(),
    listen: parseListen(listen),
    version: "0",
    now: Date.now,
    log() {},
    onDefect() {},
  });
}

test("places", () => {
  expect(parseListen("127.0.0.1:8723")).toEqual({ host: "127.0.0.1", port: 8723 });
  expect(parseListen("[::1]:0")).toEqual({ host: "::1", port: 0 });
  expect(parseListen("csp.example.com:65535")).toEqual({ host: "csp.example.com", port: 65535 });
  expect(parseListen("unix:/run/csp.sock")).toEqual({ path: "/run/csp.sock" });
  for (const text of [
    "",
    "8723",
    ":8723",
    "127.0.0.1",
    "127.0.0.1:",
    "x:65536",
    "x:-1",
    "x:8 0",
    "::1:80",
    "unix:x",
    "unix:",
    "[::1]",
    "http://x:80",
  ]) {
    expect(() => parseListen(text)).toThrow(expect.objectContaining({ code: "CSP_USAGE" }));
  }
});

test("which places only this machine reaches", () => {
  for (const local of ["127.0.0.1:1", "127.1.2.3:1", "[::1]:1", "localhost:1", "unix:/x"])
    expect(isLocal(parseListen(local))).toBe(true);
  for (const open of ["0.0.0.0:1", "[::]:1", "10.0.0.1:1", "csp.example.com:1"])
    expect(isLocal(parseListen(open))).toBe(false);
});

describe("a port", () => {
  test("0 is any that is free, and the real one is told", async () => {
    const serving = await serve("127.0.0.1:0");
    expect(serving.url).toMatch(/^http:\/\/127\.0\.0\.1:[1-9]\d+$/);
    expect((await fetch(`${serving.url}/healthz`)).status).toBe(200);
    expect(await codeOf(serve(new URL(serving.url).host))).toBe("CSP_LISTEN");
    await serving.stop();
    const again = await serve(new URL(serving.url).host);
    expect(again.url).toBe(serving.url);
    await again.stop();
  });

  test("of an address that this machine does not have", async () => {
    await expect(serve("192.0.2.1:0")).rejects.toThrow("this machine does not have that address");
  });
});

describe("a socket in the file system", () => {
  test("is served, and gone afterwards", async () => {
    const path = `${temp}/csp.sock`;
    const serving = await serve(`unix:${path}`);
    expect(serving.url).toBe(`unix:${path}`);
    expect((await fetch("http://x/healthz", { unix: path })).status).toBe(200);
    expect(await codeOf(serve(`unix:${path}`))).toBe("CSP_LISTEN");
    await serving.stop();
    expect(existsSync(path)).toBe(false);
  });

  test("that a killed server left is replaced, and nothing else is", async () => {
    const path = `${temp}/csp.sock`;
    const program = `require("node:http").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 9))`;
    await Bun.spawn([process.execPath, "-e", program]).exited;
    expect(existsSync(path)).toBe(true);
    await (await serve(`unix:${path}`)).stop();
    writeFileSync(path, "mine");
    expect(await codeOf(serve(`unix:${path}`))).toBe("CSP_LISTEN");
    expect(existsSync(path)).toBe(true);
    expect(await codeOf(serve(`unix:${temp}/absent/csp.sock`))).toBe("CSP_LISTEN");
  });
});
