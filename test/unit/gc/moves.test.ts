/** Going back, using, holding and pinning on a host made by hand. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { isCspError } from "../../../src/core/errors.ts";
import { tryLock } from "../../../src/fs/lock.ts";
import { readHistory } from "../../../src/ops/history.ts";
import { applyResume, readHolds } from "../../../src/ops/hold.ts";
import { readHostFacts } from "../../../src/ops/host-facts.ts";
import { applyPin, applyUnpin } from "../../../src/ops/pin.ts";
import { applyRollback, planRollback } from "../../../src/ops/rollback.ts";
import { applyUse } from "../../../src/ops/use.ts";
import { readCurrent } from "../../../src/tree/current.ts";
import { instancePath, leasePath, pinPath, treePath } from "../../../src/tree/layout.ts";
import { day, type Host, hashOf, hour, idOf, makeHost, snapshot } from "./host.ts";

let host: Host;
beforeEach(async () => {
  host = makeHost();
  for (const letter of "abc") {
    await host.install(letter, [`${letter}@1`]);
    host.clock.now += hour;
  }
});
afterEach(() => host.remove());

const current = (): string | undefined => readCurrent(host.paths)?.[0];

async function errorOf(work: Promise<unknown> | (() => unknown)) {
  try {
    await (typeof work === "function" ? work() : work);
  } catch (error) {
    if (isCspError(error)) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

describe("rollback", () => {
  test("goes to the tree before, holds what it left, and says so in the journal", async () => {
    expect(await applyRollback(host.ctx, {}, "too slow")).toEqual({
      from: hashOf("c"),
      to: hashOf("b"),
      switched: true,
      held: hashOf("c"),
    });
    expect(current()).toBe("b");
    expect(readHistory(host.ctx, 1)).toMatchObject([
      { seq: 4, kind: "rollback", from: hashOf("c"), to: hashOf("b"), holds: hashOf("c"), reason: "too slow" },
    ]);
    expect(readHolds(host.paths)).toMatchObject([{ hash: hashOf("c"), reason: "too slow", by: "tester@here" }]);
  });

  test("goes several steps, or to a hash", async () => {
    await applyRollback(host.ctx, { steps: 2 }, undefined);
    expect(current()).toBe("a");
    await applyRollback(host.ctx, { prefix: "CCCC" }, undefined);
    expect(current()).toBe("c");
    expect(readHolds(host.paths).map(({ hash }) => hash)).toEqual([hashOf("a")]);
  });

  test("twice goes further back, never to what was just left, and then refuses", async () => {
    await applyRollback(host.ctx, {}, undefined);
    await applyRollback(host.ctx, {}, undefined);
    expect(current()).toBe("a");
    const before = snapshot(host);
    expect((await errorOf(applyRollback(host.ctx, {}, undefined))).code).toBe("CSP_NO_EARLIER_TREE");
    expect(snapshot(host).filter((line) => !line.startsWith("locks/"))).toEqual(
      before.filter((line) => !line.startsWith("locks/")),
    );
  });

  test("to the current tree does nothing and holds nothing", async () => {
    expect(await applyRollback(host.ctx, { prefix: "cccc" }, undefined)).toMatchObject({ switched: false, held: null });
    expect(readHistory(host.ctx, undefined)).toHaveLength(3);
  });

  const wounds: readonly [string, () => void][] = [
    ["a package", () => rmSync(instancePath(host.paths, idOf("b@1")), { recursive: true })],
    ["its description", () => unlinkSync(join(treePath(host.paths, hashOf("b")), "tree.json"))],
    ["a link", () => unlinkSync(join(treePath(host.paths, hashOf("b")), "node_modules/b"))],
    ["all of it", () => rmSync(treePath(host.paths, hashOf("b")), { recursive: true })],
  ];
  for (const [what, wound] of wounds) {
    test(`refuses a tree that lacks ${what}`, async () => {
      wound();
      expect((await errorOf(applyRollback(host.ctx, {}, undefined))).code).toBe("CSP_TREE_INCOMPLETE");
      expect((await errorOf(() => planRollback(host.ctx, {}))).code).toBe("CSP_TREE_INCOMPLETE");
      expect(current()).toBe("c");
    });
  }

  test("refuses a link that leads elsewhere", async () => {
    const link = join(treePath(host.paths, hashOf("b")), "node_modules/b");
    unlinkSync(link);
    symlinkSync(`../../../packages/v1/${idOf("a@1")}/node_modules/a`, link);
    const error = await errorOf(applyRollback(host.ctx, {}, undefined));
    expect([error.code, ...error.details]).toEqual(["CSP_TREE_INCOMPLETE", "node_modules/b"]);
  });

  test("waits for no installation, and not for ever for a collector", async () => {
    const install = tryLock(host.paths.installLock, { mode: "exclusive", purpose: "csp install", now: () => 0 });
    const share = tryLock(host.paths.gcLock, { mode: "shared", purpose: "csp install", now: () => 0 });
    await applyRollback(host.ctx, {}, undefined);
    expect(current()).toBe("b");
    share?.release();
    const gc = tryLock(host.paths.gcLock, { mode: "exclusive", purpose: "csp gc", now: () => 0 });
    const error = await errorOf(applyRollback(host.ctx, {}, undefined));
    expect([error.code, error.message]).toEqual(["CSP_LOCK_TIMEOUT", expect.stringContaining("csp gc")]);
    gc?.release();
    install?.release();
  });

  test("two at once go one step each", async () => {
    const patient = { ...host.ctx, lockTimeoutMs: 10_000 };
    await Promise.all([applyRollback(patient, {}, undefined), applyRollback(patient, {}, undefined)]);
    expect(current()).toBe("a");
    expect(readHolds(host.paths).map(({ hash }) => hash)).toEqual([hashOf("c"), hashOf("b")]);
  });

  test("on a host with nothing leaves nothing", async () => {
    rmSync(host.paths.root, { recursive: true });
    expect((await errorOf(applyRollback(host.ctx, {}, undefined))).code).toBe("CSP_NOT_INSTALLED");
    expect(existsSync(host.paths.root)).toBe(false);
  });
});

describe("the beginning of a hash", () => {
  test("must be unambiguous, long enough, hexadecimal and known", async () => {
    const twin = `${"a".repeat(63)}b`;
    const code = async (prefix: string) => (await errorOf(applyUse(host.ctx, prefix, undefined))).code;
    expect(await code("aaa")).toBe("CSP_USAGE");
    expect(await code("lodash\u001b[2J")).toBe("CSP_USAGE");
    expect(await code("a".repeat(65))).toBe("CSP_USAGE");
    expect(await code("dddd")).toBe("CSP_TREE_UNKNOWN");
    mkdirSync(treePath(host.paths, twin));
    const error = await errorOf(applyUse(host.ctx, "aaaaaa", undefined));
    expect([error.code, ...error.details]).toEqual(["CSP_TREE_AMBIGUOUS", hashOf("a"), twin]);
    await applyUse(host.ctx, hashOf("a"), undefined);
    expect(current()).toBe("a");
  });
});

describe("use", () => {
  test("switches without a hold, and ends the hold of where it goes", async () => {
    await applyRollback(host.ctx, {}, undefined);
    await applyUse(host.ctx, "cccc", "it was not the cause");
    expect([current(), readHolds(host.paths)]).toEqual(["c", []]);
    await applyUse(host.ctx, "aaaa", undefined);
    expect([current(), readHolds(host.paths)]).toEqual(["a", []]);
    expect(readHistory(host.ctx, 2)).toMatchObject([{ kind: "use" }, { kind: "use", reason: "it was not the cause" }]);
  });

  test("brings back a `current` that was lost", async () => {
    unlinkSync(host.paths.current);
    expect(await applyUse(host.ctx, "bbbb", undefined)).toMatchObject({ from: null, to: hashOf("b"), switched: true });
    expect(current()).toBe("b");
  });

  test("gives a tree that was never current its lease, for other users to take", async () => {
    host.tree("d", ["d@1"]);
    expect(existsSync(leasePath(host.paths, hashOf("d")))).toBe(false);
    await applyUse(host.ctx, "dddd", undefined);
    expect(existsSync(leasePath(host.paths, hashOf("d")))).toBe(true);
  });
});

describe("holds", () => {
  test("end when another hash is installed, and with resume", async () => {
    await applyRollback(host.ctx, {}, undefined);
    await host.install("d", ["d@1"]);
    expect(readHolds(host.paths)).toEqual([]);
    await applyRollback(host.ctx, {}, undefined);
    expect((await applyResume(host.ctx, "checked")).map(({ hash }) => hash)).toEqual([hashOf("d")]);
    expect([current(), readHolds(host.paths)]).toEqual(["b", []]);
    expect(await applyResume(host.ctx, undefined)).toEqual([]);
    expect(readHistory(host.ctx, 1)).toMatchObject([{ kind: "resume", reason: "checked" }]);
  });

  test("a rollback that a crash cut short holds nothing", async () => {
    await applyRollback(host.ctx, {}, undefined);
    unlinkSync(host.paths.current);
    symlinkSync(`trees/${hashOf("c")}`, host.paths.current);
    expect(readHolds(host.paths)).toEqual([]);
    expect(await applyRollback(host.ctx, {}, undefined)).toMatchObject({ to: hashOf("b") });
  });
});

describe("pins", () => {
  test("are files with who, when and why on one line; unpinning twice is fine", async () => {
    await applyPin(host.ctx, "aaaa", "line\none\u001b[31m");
    expect(JSON.parse(readFileSync(pinPath(host.paths, hashOf("a")), "utf8"))).toEqual({
      format: 1,
      at: new Date(host.clock.now).toISOString(),
      by: "tester@here",
      reason: "line one [31m",
    });
    expect(await applyUnpin(host.ctx, "aaaa")).toEqual({ hash: hashOf("a"), pinned: true });
    expect(await applyUnpin(host.ctx, "aaaa")).toEqual({ hash: hashOf("a"), pinned: false });
  });

  test("can be taken away from a tree that is gone, and when they cannot be read", async () => {
    await applyPin(host.ctx, "aaaa", undefined);
    rmSync(treePath(host.paths, hashOf("a")), { recursive: true });
    expect(await applyUnpin(host.ctx, "aaaa")).toEqual({ hash: hashOf("a"), pinned: true });
    expect((await errorOf(applyPin(host.ctx, "aaaa", undefined))).code).toBe("CSP_TREE_UNKNOWN");
  });
});

describe("what status is told", () => {
  test("runs, retirements and when they end", async () => {
    const lease = tryLock(leasePath(host.paths, hashOf("a")), { mode: "shared", purpose: "csp run", now: () => 0 });
    const facts = readHostFacts(host.ctx);
    expect(facts.refused).toBeNull();
    expect(facts.running).toEqual([
      { hash: hashOf("a"), processes: process.platform === "linux" ? [process.pid] : [] },
    ]);
    expect(facts.retired.map(({ hash, collectableAt }) => [hash[0], collectableAt])).toEqual([
      ["a", null],
      ["b", null],
    ]);
    lease?.release();
    await host.install("d", ["d@1"]);
    const [a, b, c] = readHostFacts(host.ctx).retired;
    expect(a).toMatchObject({ keptBy: [] });
    expect(b).toMatchObject({ keptBy: [], collectableAt: new Date(host.clock.now).toISOString() });
    expect(c).toMatchObject({ collectableAt: null, since: new Date(host.clock.now).toISOString() });
    host.clock.now += day;
    expect(readHostFacts(host.ctx).retired[2]?.keptBy).toEqual(["the one before the current"]);
  });

  test("why the collector would refuse", () => {
    rmSync(host.paths.leases, { recursive: true });
    expect(readHostFacts(host.ctx).refused?.code).toBe("CSP_GC_UNSURE");
  });
});
