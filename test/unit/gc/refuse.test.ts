/** What the collector does when something cannot be read or removed: nothing, or the rest. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { isCspError } from "../../../src/core/errors.ts";
import { tryLock } from "../../../src/fs/lock.ts";
import { applyGc } from "../../../src/ops/gc/apply.ts";
import { planGc } from "../../../src/ops/gc/plan.ts";
import { leaseCurrent } from "../../../src/ops/lease.ts";
import { blobPath, instancePath, leasePath, pinPath, treePath } from "../../../src/tree/layout.ts";
import { day, digestOf, everything, type Host, hashOf, hour, idOf, makeHost, snapshot } from "./host.ts";

let host: Host;
beforeEach(async () => {
  host = makeHost();
  for (const letter of "abcd") {
    await host.install(letter, ["shared@1", `${letter}@1`]);
    host.clock.now += hour;
  }
  host.clock.now += day;
});
afterEach(() => host.remove());

async function codeOf(work: () => unknown): Promise<string> {
  try {
    await work();
  } catch (error) {
    if (isCspError(error)) return error.code;
    throw error;
  }
  return "none";
}

const treeJson = (letter: string): string => join(treePath(host.paths, hashOf(letter)), "tree.json");

/** Damage, the code that says so, and how to undo it where the rest of the test needs that. */
const damages: readonly [name: string, code: string, damage: () => void][] = [
  ["a tree's description is garbage", "CSP_GC_UNSURE", () => writeFileSync(treeJson("a"), "{")],
  ["a tree's description is missing", "CSP_GC_UNSURE", () => unlinkSync(treeJson("c"))],
  ["a tree's description is of another format", "CSP_GC_UNSURE", () => writeFileSync(treeJson("b"), '{"format":2}')],
  [
    "a tree's description names no packages",
    "CSP_GC_UNSURE",
    () => writeFileSync(treeJson("d"), JSON.stringify({ format: 1, hash: hashOf("d") })),
  ],
  ["the journal is a directory", "CSP_IO", () => replaceByDirectory(host.paths.journal)],
  ["a line in the middle of the journal is flipped", "CSP_JOURNAL_DAMAGED", () => flip(1)],
  ["the last line of the journal is flipped", "CSP_JOURNAL_DAMAGED", () => flip(3)],
  ["the journal is garbage", "CSP_JOURNAL_DAMAGED", () => writeFileSync(host.paths.journal, "garbage\n")],
  ["a pin is garbage", "CSP_PIN_UNREADABLE", () => pinWith(hashOf("a"), "garbage")],
  ["a pin has the name of no tree", "CSP_PIN_UNREADABLE", () => pinWith("README", "")],
  ["the leases are gone", "CSP_GC_UNSURE", () => rmSync(host.paths.leases, { recursive: true })],
  ["the leases are a file", "CSP_GC_UNSURE", () => replaceByFile(host.paths.leases)],
  ["a lease is a symbolic link", "CSP_GC_UNSURE", () => replaceByLink(leasePath(host.paths, hashOf("a")))],
  ["the collector's notes are garbage", "CSP_GC_UNSURE", () => writeFileSync(host.paths.gcNotes, "{}")],
  ["`current` is gone", "CSP_GC_UNSURE", () => unlinkSync(host.paths.current)],
  ["`current` is a directory", "CSP_GC_UNSURE", () => replaceByDirectory(host.paths.current)],
  ["`current` leads elsewhere", "CSP_GC_UNSURE", () => replaceByLink(host.paths.current)],
  ["the current tree is gone", "CSP_GC_UNSURE", () => rmSync(treePath(host.paths, hashOf("d")), { recursive: true })],
  ["the allowlist is wrong", "CSP_ALLOWLIST_INVALID", () => writeFileSync(host.ctx.project.allowlist, "gc: 3\n")],
];

describe("nothing is removed when", () => {
  for (const [name, code, damage] of damages) {
    test(name, async () => {
      damage();
      const before = snapshot(host);
      expect(await codeOf(() => planGc(host.ctx, everything()))).toBe(code);
      expect(await codeOf(() => applyGc(host.ctx, everything({ limits: { treeGrace: 0, keepPrevious: 0 } })))).toBe(
        code,
      );
      expect(snapshot(host)).toEqual(before);
    });
  }

  test("somebody installs meanwhile; it says so and does not wait for ever", async () => {
    const lock = tryLock(host.paths.gcLock, { mode: "shared", purpose: "csp install", now: () => 0 });
    expect(await codeOf(() => applyGc(host.ctx, everything()))).toBe("CSP_LOCK_TIMEOUT");
    lock?.release();
    expect(await codeOf(() => applyGc(host.ctx, everything()))).toBe("none");
  });
});

describe("a journal that a crash tore", () => {
  test("is no damage: the torn line's switch did not happen", async () => {
    appendFileSync(host.paths.journal, '{"seq":5,"at":"2026-');
    expect((await applyGc(host.ctx, everything())).plan.trees).toHaveLength(2);
    await host.install("e", ["e@1"]);
    host.clock.now += day;
    expect((await applyGc(host.ctx, everything())).plan.trees.map(({ hash }) => hash)).toEqual([hashOf("c")]);
  });

  test("between journal and `current`, the tree that is still current stays", async () => {
    const was = readFileSync(host.paths.journal, "utf8");
    await host.install("e", ["e@1"]);
    unlinkSync(host.paths.current);
    symlinkSync(`trees/${hashOf("d")}`, host.paths.current);
    expect(readFileSync(host.paths.journal, "utf8").length).toBeGreaterThan(was.length);
    host.clock.now += day;
    const { plan } = await applyGc(host.ctx, everything());
    expect(plan.trees.map(({ hash }) => hash)).toEqual([hashOf("a"), hashOf("b"), hashOf("e")]);
  });
});

describe("one entry that cannot be removed", () => {
  test("does not keep the rest", async () => {
    await applyGc(host.ctx, everything());
    host.clock.now += 2 * day;
    const stubborn = blobPath(host.paths, digestOf("a@1"));
    replaceByDirectory(stubborn);
    const { plan, failed } = await applyGc(host.ctx, everything());
    expect(failed.map(({ name, error }) => [name, error.code])).toEqual([[digestOf("a@1"), "CSP_IO"]]);
    expect(plan.blobs.map(({ digest }) => digest)).toEqual([digestOf("b@1")]);
    expect(existsSync(blobPath(host.paths, digestOf("b@1")))).toBe(false);
  });

  test("a tree that somebody begins to use after the plan was made stays, with its packages", async () => {
    const { trees } = planGc(host.ctx, everything());
    expect(trees.map(({ hash }) => hash)).toEqual([hashOf("a"), hashOf("b")]);
    const late = { ...host.ctx, now: () => lateLease(host.clock.now) };
    let asked = 0;
    let lease: ReturnType<typeof tryLock>;
    function lateLease(now: number): number {
      // The plan asks for the time before it looks at leases; the lease of the first tree asks again, when it was free.
      if (asked++ === 2)
        lease = tryLock(leasePath(host.paths, hashOf("b")), { mode: "shared", purpose: "x", now: () => 0 });
      return now;
    }
    const { plan } = await applyGc(late, everything());
    expect(lease).toBeDefined();
    expect(plan.trees.map(({ hash }) => hash)).toEqual([hashOf("a")]);
    expect(existsSync(treePath(host.paths, hashOf("b")))).toBe(true);
    expect(existsSync(instancePath(host.paths, idOf("b@1")))).toBe(true);
    expect(plan.packages.map(({ id }) => id)).toEqual([idOf("a@1")]);
    lease?.release();
  });

  test("the blobs of a tree that stays after all stay, too", async () => {
    const limits = { blobGrace: 0 };
    let asked = 0;
    let lease: ReturnType<typeof tryLock>;
    const now = (): number => {
      if (asked++ === 2)
        lease = tryLock(leasePath(host.paths, hashOf("b")), { mode: "shared", purpose: "x", now: () => 0 });
      return host.clock.now;
    };
    const { plan } = await applyGc({ ...host.ctx, now }, everything({ limits }));
    expect(plan.blobs.map(({ digest }) => digest)).toEqual([digestOf("a@1")]);
    expect(existsSync(blobPath(host.paths, digestOf("b@1")))).toBe(true);
    lease?.release();
    const next = await applyGc(host.ctx, everything({ limits }));
    expect(next.plan.blobs.map(({ digest }) => digest)).toEqual([digestOf("b@1")]);
  });
});

describe("runs and the collector do not wait for each other", () => {
  test("a run takes its lease while the collector has its lock", () => {
    const gc = tryLock(host.paths.gcLock, { mode: "exclusive", purpose: "csp gc", now: () => 0 });
    const { hash, lease } = leaseCurrent(host.ctx);
    expect(hash).toBe(hashOf("d"));
    expect(lease).toBeDefined();
    lease?.release();
    gc?.release();
  });

  test("no run starts without the lease that it could have had", async () => {
    const look = tryLock(leasePath(host.paths, hashOf("d")), { mode: "exclusive", purpose: "x", now: () => 0 });
    expect(await codeOf(() => leaseCurrent(host.ctx))).toBe("CSP_LOCK_TIMEOUT");
    look?.release();
    leaseCurrent(host.ctx).lease?.release();
  });

  test("the current tree's lease is never tried, only looked up", async () => {
    const { lease } = leaseCurrent(host.ctx);
    expect((await applyGc(host.ctx, everything())).plan.trees).toHaveLength(2);
    lease?.release();
  });
});

describe("what crashes left", () => {
  test("goes: dead scratch directories, half-made files, the quarantine; what lives stays", async () => {
    const { paths } = host;
    const dead = join(paths.tmp, "install-1-0");
    mkdirSync(dead);
    for (const name of [".lock", "file"]) writeFileSync(join(dead, name), "12345");
    mkdirSync(join(paths.runs, "run-1-0"), { recursive: true });
    writeFileSync(join(paths.runs, "run-1-0", ".lock"), "");
    writeFileSync(join(paths.tmp, ".csp-1-0"), "half");
    symlinkSync("trees/x", join(paths.root, ".csp-1-1"));
    mkdirSync(paths.quarantine);
    writeFileSync(join(paths.quarantine, "blob"), "bad");
    const living = join(paths.tmp, "install-2-0");
    mkdirSync(living);
    const own = tryLock(join(living, ".lock"), { mode: "exclusive", purpose: "x", now: () => 0 });
    const { plan, failed } = await applyGc(host.ctx, everything());
    expect(failed).toEqual([]);
    expect(plan.leftovers.map(({ kind, bytes }) => [kind, bytes])).toEqual([
      ["tmp", "trees/x".length],
      ["tmp", 4],
      ["tmp", 10],
      ["runs", 0],
      ["quarantine", 3],
    ]);
    expect(readdirSync(paths.tmp)).toEqual(["install-2-0"]);
    expect([...readdirSync(paths.runs), ...readdirSync(paths.quarantine)]).toEqual([]);
    expect(existsSync(join(paths.root, ".csp-1-1"))).toBe(false);
    expect(plan.kept).toContainEqual({ kind: "leftover", name: living, why: "its owner is still running" });
    own?.release();
  });

  test("goes from the project, too, but not what somebody still writes", async () => {
    const { directory } = host.ctx.project;
    const [dead, living, theirs] = [".csp-1-0", ".csp-2-0", ".csp-notes"].map((name) => join(directory, name));
    for (const path of [dead, living, theirs]) writeFileSync(path as string, "half");
    const own = tryLock(living as string, { mode: "shared", purpose: "x", now: () => 0 });
    const { plan, failed } = await applyGc(host.ctx, everything());
    expect(failed).toEqual([]);
    expect(plan.leftovers.map(({ path }) => path)).toEqual([dead as string]);
    expect([dead, living, theirs].map((path) => existsSync(path as string))).toEqual([false, true, true]);
    own?.release();
  });
});

/** One bit of a line of the journal. */
function flip(line: number): void {
  const lines = readFileSync(host.paths.journal, "utf8").split("\n");
  lines[line] = (lines[line] as string).replace("csp test", "csp tess");
  writeFileSync(host.paths.journal, lines.join("\n"));
}

function pinWith(name: string, text: string): void {
  mkdirSync(host.paths.pins, { recursive: true });
  writeFileSync(pinPath(host.paths, name), text);
}

function replaceByDirectory(path: string): void {
  rmSync(path, { recursive: true, force: true });
  mkdirSync(join(path, "full"), { recursive: true });
}

function replaceByFile(path: string): void {
  renameSync(path, `${path}.away`);
  writeFileSync(path, "");
}

function replaceByLink(path: string): void {
  rmSync(path, { recursive: true, force: true });
  symlinkSync("elsewhere", path);
}
