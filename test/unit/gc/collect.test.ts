import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tryLock } from "../../../src/fs/lock.ts";
import { applyGc } from "../../../src/ops/gc/apply.ts";
import { freedBytes, type GcPlan, planGc } from "../../../src/ops/gc/plan.ts";
import { applyPin } from "../../../src/ops/pin.ts";
import { blobPath, instancePath, leasePath } from "../../../src/tree/layout.ts";
import { day, digestOf, everything, type Host, hashOf, hour, idOf, makeHost, minute, snapshot } from "./host.ts";

let host: Host;
beforeEach(() => {
  host = makeHost();
});
afterEach(() => host.remove());

const letters = (hashes: readonly string[]): string => hashes.map((hash) => hash[0]).join("");
const treesHere = (): string => letters(readdirSync(host.paths.trees).sort());
const goingIn = (plan: GcPlan): string => letters(plan.trees.map(({ hash }) => hash));

/** a, b, c and d switched to one after the other, an hour apart; then a day passes. */
async function fourTrees(): Promise<void> {
  for (const letter of "abcd") {
    await host.install(letter, ["shared@1", `${letter}@1`]);
    host.clock.now += hour;
  }
  host.clock.now += day;
}

describe("what goes and what stays", () => {
  test("the current tree and the one before it stay, older ones go with what only they need", async () => {
    await fourTrees();
    const { plan } = await applyGc(host.ctx, everything());
    expect(goingIn(plan)).toBe("ab");
    expect(treesHere()).toBe("cd");
    expect(plan.packages.map(({ id }) => id)).toEqual([idOf("a@1"), idOf("b@1")]);
    expect(readdirSync(host.paths.packages).sort()).toEqual([idOf("c@1"), idOf("d@1"), idOf("shared@1")]);
    expect(readdirSync(host.paths.tmp)).toEqual([]);
  });

  test("a plan changes nothing, and the real run removes exactly what it says", async () => {
    await fourTrees();
    const before = snapshot(host);
    const plan = planGc(host.ctx, everything());
    expect(snapshot(host)).toEqual(before);
    const done = await applyGc(host.ctx, everything());
    expect(done).toEqual({ plan, failed: [] });
    expect(await applyGc(host.ctx, everything())).toMatchObject({ plan: { trees: [], packages: [], blobs: [] } });
  });

  test("--keep decides how many stay before the current one", async () => {
    await fourTrees();
    expect(goingIn(planGc(host.ctx, everything({ limits: { keepPrevious: 0 } })))).toBe("abc");
    expect(goingIn(planGc(host.ctx, everything({ limits: { keepPrevious: 2 } })))).toBe("a");
    expect(goingIn(planGc(host.ctx, everything({ limits: { keepPrevious: 9 } })))).toBe("");
  });

  test("the allowlist's settings hold where nothing else is said", async () => {
    await fourTrees();
    writeFileSync(host.ctx.project.allowlist, "packages: {}\ngc: { keepPrevious: 2, treeGrace: 1h }\n");
    expect(goingIn(planGc(host.ctx, everything()))).toBe("a");
    writeFileSync(host.ctx.project.allowlist, "packages: {}\ngc: { keepPrevious: 1, treeGrace: 2d }\n");
    expect(goingIn(planGc(host.ctx, everything()))).toBe("");
  });

  test("a pinned tree stays until it is unpinned, and so does what it needs", async () => {
    await fourTrees();
    await applyPin(host.ctx, "aaaa", "for the audit");
    const { plan } = await applyGc(host.ctx, everything());
    expect(goingIn(plan)).toBe("b");
    expect(existsSync(instancePath(host.paths, idOf("a@1")))).toBe(true);
    expect(plan.kept).toContainEqual({ kind: "tree", name: hashOf("a"), why: "pinned by tester@here: for the audit" });
  });

  test("a leased tree stays as long as the lease is held", async () => {
    await fourTrees();
    const lease = tryLock(leasePath(host.paths, hashOf("a")), { mode: "shared", purpose: "csp run", now: () => 0 });
    expect(goingIn((await applyGc(host.ctx, everything())).plan)).toBe("b");
    expect(treesHere()).toBe("acd");
    lease?.release();
    expect(goingIn((await applyGc(host.ctx, everything())).plan)).toBe("a");
  });

  test("--trees leaves blobs and leftovers, --blobs leaves trees", async () => {
    await fourTrees();
    mkdirSync(join(host.paths.quarantine, "x"), { recursive: true });
    const limits = { blobGrace: 0 };
    const trees = planGc(host.ctx, everything({ blobs: false, leftovers: false, limits }));
    expect([goingIn(trees), trees.packages.length, trees.blobs.length, trees.leftovers.length]).toEqual([
      "ab",
      2,
      0,
      0,
    ]);
    const blobs = planGc(host.ctx, everything({ trees: false, leftovers: false, limits }));
    expect([goingIn(blobs), blobs.packages.length, blobs.blobs.length, blobs.leftovers.length]).toEqual(["", 0, 0, 0]);
    expect(planGc(host.ctx, everything({ limits })).leftovers.map(({ kind }) => kind)).toEqual(["quarantine"]);
  });

  test("packages that no tree needs go, whole or not; what is not csp's stays", async () => {
    await fourTrees();
    const orphan = instancePath(host.paths, `half@1-${"0".repeat(32)}`);
    mkdirSync(orphan);
    mkdirSync(join(host.paths.packages, "notes"));
    writeFileSync(join(host.paths.cache, "README"), "");
    await applyGc(host.ctx, everything());
    expect(existsSync(orphan)).toBe(false);
    expect(existsSync(join(host.paths.packages, "notes"))).toBe(true);
    expect(existsSync(join(host.paths.cache, "README"))).toBe(true);
  });

  test("a host without a data directory gets none", async () => {
    rmSync(host.paths.root, { recursive: true });
    expect(await applyGc(host.ctx, everything())).toMatchObject({ plan: { trees: [], blobs: [] }, failed: [] });
    expect(existsSync(host.paths.root)).toBe(false);
  });
});

describe("grace", () => {
  test("a tree stays for its grace, counted from the switch that left it", async () => {
    await host.install("a", ["a@1"]);
    host.clock.now += 30 * day;
    await host.install("b", ["b@1"]);
    await host.install("c", ["c@1"]);
    host.clock.now += hour - 1;
    expect(goingIn(planGc(host.ctx, everything()))).toBe("");
    host.clock.now += 1;
    expect(goingIn(planGc(host.ctx, everything()))).toBe("a");
  });

  test("going back to a tree and leaving it again starts its grace anew", async () => {
    await fourTrees();
    await host.install("a", []);
    await host.install("d", []);
    const limits = { keepPrevious: 0 };
    expect(goingIn(planGc(host.ctx, everything({ limits })))).toBe("bc");
  });

  test("a clock that was set back gives everything its whole grace", async () => {
    await fourTrees();
    host.clock.now -= 400 * day;
    const limits = { keepPrevious: 0 };
    expect(goingIn(planGc(host.ctx, everything({ limits })))).toBe("");
    expect(goingIn(planGc(host.ctx, everything({ limits: { keepPrevious: 0, treeGrace: 0 } })))).toBe("abc");
  });

  test("a clock that jumps ahead takes no root", async () => {
    await fourTrees();
    await applyPin(host.ctx, "aaaa", undefined);
    host.clock.now += 10_000 * day;
    await applyGc(host.ctx, everything());
    expect(treesHere()).toBe("acd");
  });

  test("a blob stays for its grace after the last tree with it was collected", async () => {
    await fourTrees();
    const blob = blobPath(host.paths, digestOf("a@1"));
    await applyGc(host.ctx, everything());
    expect(treesHere()).toBe("cd");
    host.clock.now += day - 1;
    await applyGc(host.ctx, everything());
    expect(existsSync(blob)).toBe(true);
    host.clock.now += 1;
    const { plan } = await applyGc(host.ctx, everything());
    expect(plan.blobs.map(({ digest, bytes }) => [digest, bytes])).toContainEqual([digestOf("a@1"), 100]);
    expect(existsSync(blob)).toBe(false);
    expect(existsSync(blobPath(host.paths, digestOf("shared@1")))).toBe(true);
  });

  test("a blob that was needed again has its whole grace again", async () => {
    await fourTrees();
    await applyGc(host.ctx, everything());
    host.clock.now += day / 2;
    // Back, and away again, without a collection while it was needed.
    await host.install("a", ["shared@1", "a@1"]);
    await host.install("e", ["shared@1", "e@1"]);
    await host.install("f", ["shared@1", "f@1"]);
    host.clock.now += 2 * day;
    await applyGc(host.ctx, everything());
    expect(treesHere()).toBe("ef");
    expect(existsSync(blobPath(host.paths, digestOf("a@1")))).toBe(true);
    host.clock.now += day;
    await applyGc(host.ctx, everything());
    expect(existsSync(blobPath(host.paths, digestOf("a@1")))).toBe(false);
  });

  test("a note from the future counts from now", async () => {
    await fourTrees();
    host.clock.now += 5000 * day;
    await applyGc(host.ctx, everything());
    host.clock.now -= 5000 * day;
    await applyGc(host.ctx, everything());
    host.clock.now += day;
    await applyGc(host.ctx, everything());
    expect(existsSync(blobPath(host.paths, digestOf("a@1")))).toBe(false);
  });

  test("a tree that the journal does not mention has its grace from when it was first seen", async () => {
    await fourTrees();
    host.tree("e", ["e@1"]);
    await applyGc(host.ctx, everything());
    host.clock.now += hour - 1;
    await applyGc(host.ctx, everything());
    expect(treesHere()).toBe("cde");
    host.clock.now += 1;
    await applyGc(host.ctx, everything());
    expect(treesHere()).toBe("cd");
  });

  test("without the journal nothing that was there goes before its grace", async () => {
    await fourTrees();
    unlinkSync(host.paths.journal);
    expect(goingIn((await applyGc(host.ctx, everything())).plan)).toBe("");
    host.clock.now += minute;
    await host.install("e", ["e@1"]);
    host.clock.now += hour - minute;
    const { plan } = await applyGc(host.ctx, everything());
    expect(goingIn(plan)).toBe("abc");
    expect(treesHere()).toBe("de");
  });
});

describe("bytes", () => {
  test("files that instances share count once, and only when the last of them goes", async () => {
    await host.install("a", ["x@1/one"]);
    await host.install("b", ["x@1/two"]);
    await host.install("c", ["x@1/three", "y@1"]);
    await host.install("d", ["y@1"]);
    host.clock.now += day;
    const two = planGc(host.ctx, everything());
    expect(goingIn(two)).toBe("ab");
    expect(two.packages.map(({ shared }) => shared)).toEqual([true, true]);
    expect(freedBytes(two.packages)).toBe(0);
    const all = planGc(host.ctx, everything({ limits: { keepPrevious: 0 } }));
    expect(all.packages).toHaveLength(3);
    expect(freedBytes(all.packages)).toBe(1000);
  });

  test("what is freed is what the disk has more", async () => {
    await host.install("a", ["x@1/one", "x@1/two", "z@1"]);
    await host.install("b", ["y@1"]);
    host.clock.now += day;
    const before = bytesOf(host.paths.packages);
    const { plan } = await applyGc(host.ctx, everything({ limits: { keepPrevious: 0 } }));
    const descriptions = 3 * JSON.stringify({ any: 1 }).length;
    const freed = before - bytesOf(host.paths.packages);
    expect(freedBytes(plan.packages)).toBe(2000);
    expect(freed).toBeGreaterThanOrEqual(2000 + descriptions);
    expect(freed).toBeLessThan(4000);
  });

  test("--max-size removes the oldest first, no more than it takes, and never a root", async () => {
    for (const letter of "abcdef") {
      await host.install(letter, [`${letter}@1`]);
      host.clock.now += hour;
    }
    host.clock.now += day;
    const sizeOf = (plan: GcPlan): number => plan.size?.after ?? 0;
    const { before } = planGc(host.ctx, everything({ maxSize: 1e9 })).size ?? { before: 0 };
    expect(goingIn(planGc(host.ctx, everything({ maxSize: before })))).toBe("");
    expect(goingIn(planGc(host.ctx, everything({ maxSize: before - 1 })))).toBe("a");
    expect(goingIn(planGc(host.ctx, everything({ maxSize: before - 1500 })))).toBe("ab");
    const least = planGc(host.ctx, everything({ maxSize: 0 }));
    expect(goingIn(least)).toBe("abcd");
    expect(sizeOf(least)).toBeGreaterThan(2000);
    await applyGc(host.ctx, everything({ maxSize: before - 1 }));
    expect(planGc(host.ctx, everything({ maxSize: 1e9 })).size?.before).toBeLessThan(before);
    expect(treesHere()).toBe("bcdef");
  });
});

/** Like `du -b` of the files: each inode once. */
function bytesOf(folder: string): number {
  const { stdout } = Bun.spawnSync(["find", folder, "-type", "f", "-printf", "%i %s\n"]);
  const sizes = new Map(
    stdout
      .toString()
      .trim()
      .split("\n")
      .map((line) => line.split(" ") as [string, string]),
  );
  return [...sizes.values()].reduce((sum, size) => sum + Number(size), 0);
}
