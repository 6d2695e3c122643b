/** The test registry's lies must be the lies it was asked for, and its truth must be what npm clients read. */
import { afterEach, expect, test } from "bun:test";
import { connect } from "node:net";
import { gunzipSync } from "node:zlib";
import { buildPackage } from "../../support/packages.ts";
import { startRegistry, type TestRegistry } from "../../support/registry.ts";

const started: TestRegistry[] = [];
afterEach(async () => {
  for (const registry of started.splice(0)) await registry.stop();
});

async function registryWith(...versions: string[]): Promise<TestRegistry> {
  const registry = await startRegistry(versions.map((version) => ({ name: "a", version })));
  started.push(registry);
  return registry;
}

/** All that the server sends on one connection, until it closes. */
function rawGet(registry: TestRegistry, path: string): Promise<string> {
  const { port } = new URL(registry.url);
  return new Promise((done) => {
    let text = "";
    const socket = connect(Number(port), "127.0.0.1");
    socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`);
    socket.on("data", (bytes) => {
      text += bytes.toString("latin1");
    });
    socket.on("error", () => {});
    socket.on("close", () => done(text));
  });
}

const tarball = "/a/-/a-1.0.0.tgz";

test("a package has the same bytes every time, and they depend on its files", () => {
  const one = buildPackage({ name: "a", version: "1.0.0" });
  expect(buildPackage({ name: "a", version: "1.0.0" }).digest).toBe(one.digest);
  expect(buildPackage({ name: "a", version: "1.0.0", files: { "x.js": "" } }).digest).not.toBe(one.digest);
  // A change of this digest changes every lockfile that a test shows.
  expect(one.digest.slice(0, 16)).toBe("d1a646f24218baa8");
  expect(gunzipSync(one.tarball).includes('module.exports = "a@1.0.0"')).toBe(true);
});

test("large files come back whole", () => {
  const { tarball: bytes } = buildPackage({ name: "a", version: "1.0.0", meta: { padding: 200_000 } });
  expect(gunzipSync(bytes).length).toBeGreaterThan(200_000);
  expect(Bun.gunzipSync(Uint8Array.from(bytes)).length).toBe(gunzipSync(bytes).length);
});

test("latest is the highest version that is no prerelease; versions are ordered", async () => {
  const registry = await registryWith("1.10.0", "1.9.0", "2.0.0-rc.1");
  const document = (await (await fetch(`${registry.url}/a`)).json()) as Record<string, Record<string, unknown>>;
  expect(document["dist-tags"]).toEqual({ latest: "1.10.0" });
  expect(Object.keys(document.versions ?? {})).toEqual(["1.9.0", "1.10.0", "2.0.0-rc.1"]);
});

test("the abbreviated form leaves the times out, and an etag answers 304", async () => {
  const registry = await registryWith("1.0.0");
  const accept = "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8";
  const short = await fetch(`${registry.url}/a`, { headers: { accept } });
  expect(short.headers.get("content-type")).toBe("application/vnd.npm.install-v1+json");
  expect(await short.json()).not.toHaveProperty("time");
  const etag = short.headers.get("etag") ?? "";
  const again = await fetch(`${registry.url}/a`, { headers: { accept, "if-none-match": etag } });
  expect(again.status).toBe(304);
  const long = await fetch(`${registry.url}/a`, { headers: { "if-none-match": etag } });
  expect(long.status).toBe(200);
  expect(await long.json()).toHaveProperty(["time", "1.0.0"]);
});

test("HEAD says the length and sends nothing", async () => {
  const registry = await registryWith("1.0.0");
  const answer = await fetch(registry.url + tarball, { method: "HEAD" });
  expect(answer.headers.get("content-length")).toBe(String(registry.package("a", "1.0.0").tarball.length));
  expect((await answer.arrayBuffer()).byteLength).toBe(0);
});

test("faults that lie about the body", async () => {
  const registry = await registryWith("1.0.0");
  const whole = registry.package("a", "1.0.0").tarball;
  const bytes = async () => new Uint8Array(await (await fetch(registry.url + tarball)).arrayBuffer());
  const fault = (kind: string, arg?: string) => {
    registry.heal();
    registry.fault(/tgz$/, kind, arg);
  };
  fault("wrong-length");
  expect((await bytes()).length).toBe(whole.length >> 1);
  fault("wrong-bytes");
  const wrong = await bytes();
  expect([wrong.length, Buffer.compare(wrong, whole) === 0]).toEqual([whole.length, false]);
  fault("extra-bytes");
  expect((await bytes()).length).toBe(whole.length + 4);
  fault("drip", "1");
  expect(Buffer.compare(await bytes(), whole)).toBe(0);
  fault("slow", "1");
  expect(Buffer.compare(await bytes(), whole)).toBe(0);
  fault("cut");
  const cut = await rawGet(registry, tarball);
  expect(cut).toMatch(new RegExp(`^content-length: ${whole.length}\r$`, "im"));
  expect(cut.split("\r\n\r\n").slice(1).join("\r\n\r\n").length).toBeLessThan(whole.length);
  fault("cut-chunked");
  expect((await rawGet(registry, tarball)).toLowerCase()).not.toInclude("content-length");
  fault("reset");
  expect(await rawGet(registry, tarball)).toBe("");
  fault("gzip-encoded");
  const encoded = await fetch(registry.url + tarball, { decompress: false } as RequestInit);
  expect(Buffer.compare(gunzipSync(await encoded.arrayBuffer()), whole)).toBe(0);
});

test("hang sends nothing, hang-body half; both end when the registry stops", async () => {
  const registry = await registryWith("1.0.0");
  registry.fault(/tgz$/, "hang");
  const silent = rawGet(registry, tarball);
  await registry.arrival(/tgz/);
  registry.fault(/tgz$/, "hang-body");
  const half = rawGet(registry, tarball);
  await registry.arrival(/tgz/, 2);
  await registry.stop();
  expect(await silent).toBe("");
  expect(await half).toStartWith("HTTP/1.1 200");
  expect((await half).length).toBeLessThan(registry.package("a", "1.0.0").tarball.length);
});

test("redirects lead to the same bytes, to another host, or nowhere", async () => {
  const other = await registryWith("1.0.0");
  const registry = await startRegistry([{ name: "a", version: "1.0.0" }], { other: () => other.url });
  started.push(registry);
  registry.fault(/^\/a\/-\//, "redirect");
  expect((await fetch(registry.url + tarball)).url).toBe(`${registry.url}/at/moved${tarball}`);
  registry.heal();
  registry.fault(/tgz$/, "redirect-other-host");
  expect((await fetch(registry.url + tarball)).url).toBe(other.url + tarball);
  registry.heal();
  registry.fault(/tgz$/, "redirect-loop");
  await expect(fetch(registry.url + tarball)).rejects.toThrow();
});
