/** Verifying without `--repair` changes nothing and needs nothing that can be written. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { isCspError } from "../../../src/core/errors.ts";
import { acquireLock } from "../../../src/fs/lock.ts";
import { repairHost, verifyHost } from "../../../src/ops/verify.ts";
import { allowlists, createHost, flip, pathsBelow, picture, type TestHost } from "./host.ts";

let host: TestHost;
beforeAll(async () => {
  host = await createHost();
  for (const allowlist of allowlists("isolated")) await host.install(allowlist);
});
afterAll(() => host[Symbol.asyncDispose]());

test("a sound host: not one byte, mode or time is changed", async () => {
  const before = picture(host.paths.root);
  for (const deep of [false, true]) {
    const { result, findings, remarks } = await verifyHost(host.ctx, { deep });
    expect([result, findings, remarks]).toEqual(["sound", [], []]);
  }
  expect(picture(host.paths.root)).toEqual(before);
});

test("a damaged host: nothing either", async () => {
  await using damaged = host.copy();
  for (const path of pathsBelow(damaged.paths.packages, "file").slice(0, 3)) flip(path, 0, 0);
  const before = picture(damaged.paths.root);
  expect((await verifyHost(damaged.ctx, { deep: true })).result).toBe("damaged");
  expect(picture(damaged.paths.root)).toEqual(before);
});

test("a host without lock files: none is made, and that is said", async () => {
  await using bare = host.copy();
  rmSync(bare.paths.locks, { recursive: true });
  const before = picture(bare.paths.root);
  const { result, remarks } = await verifyHost(bare.ctx, { deep: false });
  expect([result, remarks]).toEqual([
    "sound",
    ["no lock kept the collector away; what it took meanwhile counts as missing"],
  ]);
  expect(picture(bare.paths.root)).toEqual(before);
});

test("waits for the collector, but not for an installation", async () => {
  const { ctx, paths } = host;
  const request = { mode: "exclusive", purpose: "csp gc", now: Date.now, wait: { timeoutMs: 0 } } as const;
  const install = await acquireLock(paths.installLock, request);
  expect((await verifyHost(ctx, { deep: false })).result).toBe("sound");
  install.release();
  const gc = await acquireLock(paths.gcLock, request);
  const error = await verifyHost({ ...ctx, lockTimeoutMs: 20 }, { deep: false }).catch((thrown: unknown) => thrown);
  gc.release();
  expect(isCspError(error, "CSP_LOCK_TIMEOUT")).toBe(true);
});

test("leftovers are remarks, and no damage", async () => {
  await using messy = host.copy();
  for (const path of ["tmp/install-1-0", "quarantine/x-1", "trees/notes"]) {
    mkdirSync(join(messy.paths.root, path), { recursive: true });
  }
  const { result, remarks } = await verifyHost(messy.ctx, { deep: true });
  expect([result, remarks]).toEqual([
    "sound",
    ["trees/notes is none of csp's", "tmp holds 1 entry", "quarantine holds 1 entry"],
  ]);
});

test("a host with nothing: says so, and stays without", async () => {
  await using empty = await createHost([]);
  for (const attempt of [
    verifyHost(empty.ctx, { deep: true }),
    repairHost(empty.ctx, { deep: false, reason: undefined }),
  ]) {
    const error = await attempt.catch((thrown: unknown) => thrown);
    expect(isCspError(error, "CSP_NOT_INSTALLED")).toBe(true);
  }
  expect(
    pathsBelow(join(empty.ctx.project.directory, ".."), "folder").some((path) => path.includes("script-packages")),
  ).toBe(false);
});
