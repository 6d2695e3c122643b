/** What a repair promises: nothing is lost, nobody is disturbed, and all that shares a damage is healed. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  closeSync,
  existsSync,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { planHostRepair, repairHost, verifyHost } from "../../../src/ops/verify.ts";
import { readCurrent } from "../../../src/tree/current.ts";
import { blobPath, treePath } from "../../../src/tree/layout.ts";
import { allowlists, createHost, edit, flip, pathsBelow, picture, type TestHost } from "./host.ts";

const template = new Map<string, TestHost>();
const linkers = ["isolated", "hoisted"] as const;

beforeAll(async () => {
  for (const linker of linkers) {
    const host = await createHost();
    template.set(linker, host);
    for (const allowlist of allowlists(linker)) await host.install(allowlist);
  }
});
afterAll(async () => {
  for (const host of template.values()) await host[Symbol.asyncDispose]();
});

const fresh = (linker: (typeof linkers)[number] = "isolated"): TestHost => (template.get(linker) as TestHost).copy();
const deep = { deep: true, reason: undefined };
const shallow = { deep: false, reason: undefined };

/** Folders of a package's instances, in order. */
function instances({ paths }: TestHost, name: string): string[] {
  return readdirSync(paths.packages)
    .filter((id) => id.startsWith(`${name}@`))
    .sort()
    .map((id) => join(paths.packages, id));
}
const fileOf = (host: TestHost, name: string, file = "index.js"): string =>
  join(instances(host, name)[0] as string, "node_modules", name, file);
const blobOf = (host: TestHost, name: string, version = "1.0.0"): string =>
  blobPath(host.paths, host.registry.package(name, version).digest);
const reasons = (failed: readonly { label: string; why: string }[]): string[] =>
  failed.map(({ label, why }) => `${label}: ${why}`);
const offline = (host: TestHost): TestHost => ({ ...host, ctx: { ...host.ctx, offline: true } });

test("nothing damaged: nothing is done", async () => {
  await using host = fresh();
  const before = picture(join(host.paths.root, "packages"));
  const { after, outcome } = await repairHost(host.ctx, deep);
  expect([after.result, outcome]).toEqual(["sound", { restored: [], failed: [] }]);
  expect(picture(join(host.paths.root, "packages"))).toEqual(before);
  expect(existsSync(host.paths.quarantine)).toBe(false);
});

test("who has a damaged file open keeps it; who opens it afterwards has the good one", async () => {
  await using host = fresh();
  const path = fileOf(host, "alpha");
  const good = readFileSync(path);
  flip(path, 3, 3);
  const bad = readFileSync(path);
  const fd = openSync(path, "r");
  try {
    const { outcome } = await repairHost(host.ctx, shallow);
    const kept = Buffer.alloc(bad.length);
    readSync(fd, kept, 0, kept.length, 0);
    expect(kept).toEqual(bad);
    expect(readFileSync(path)).toEqual(good);
    const aside = join(host.paths.root, outcome.restored[0]?.quarantine as string, "node_modules/alpha/index.js");
    expect(lstatSync(aside).ino).toBe(fstatSync(fd).ino);
  } finally {
    closeSync(fd);
  }
});

test("each damaged copy is kept under a name of its own", async () => {
  await using host = fresh();
  for (let round = 0; round < 2; round++) {
    flip(fileOf(host, "alpha"), 3, round);
    await repairHost(host.ctx, shallow);
  }
  const id = instances(host, "alpha")[0]?.slice(host.paths.packages.length + 1);
  expect(readdirSync(host.paths.quarantine).sort()).toEqual([`${id}-1`, `${id}-2`]);
});

for (const linker of linkers) {
  test(`${linker}: a damaged file with many names is healed under all of them, in trees that were not asked for, too`, async () => {
    await using host = fresh(linker);
    const path = fileOf(host, "delta");
    const names = [host.paths.packages, host.paths.trees]
      .flatMap((folder) => pathsBelow(folder, "file"))
      .filter((each) => lstatSync(each).ino === lstatSync(path).ino);
    expect(names.length).toBe(linker === "isolated" ? 2 : 3);
    flip(path, 5, 1);
    const bad = lstatSync(path).ino;
    const { before, after, outcome } = await repairHost(host.ctx, shallow);
    expect(before.result).toBe("damaged");
    expect([after.result, outcome.failed]).toEqual(["sound", []]);
    for (const name of names) expect(lstatSync(name).ino).not.toBe(bad);
    expect((await verifyHost(host.ctx, deep)).findings).toEqual([]);
  });
}

test("a copy that does not share its file any more is compared by itself", async () => {
  await using host = fresh();
  const copies = instances(host, "delta").map((folder) => join(folder, "node_modules/delta/index.js"));
  for (const path of copies) {
    const good = readFileSync(path);
    rmSync(path);
    writeFileSync(path, good.toReversed(), { mode: 0o444 });
    const found = await verifyHost(host.ctx, deep);
    expect(found.findings.map((finding) => join(host.paths.root, finding.path))).toEqual([path]);
    const { after, outcome } = await repairHost(host.ctx, deep);
    expect([after.result, outcome.restored.length]).toEqual(["sound", 1]);
  }
  expect(copies.length).toBe(2);
});

test("a package is restored from the cache alone, and other packages are not touched", async () => {
  await using host = offline(fresh());
  const beta = picture(instances(host, "beta")[0] as string);
  rmSync(fileOf(host, "alpha"));
  host.registry.forget();
  const { after, outcome } = await repairHost(host.ctx, deep);
  expect([after.result, outcome.restored.map(({ action, from }) => [action, from])]).toEqual([
    "sound",
    [["rebuild", "cache"]],
  ]);
  expect(host.registry.requests).toEqual([]);
  expect(picture(instances(host, "beta")[0] as string)).toEqual(beta);
});

describe("a damaged blob", () => {
  test("comes from the registry, and its package with it where that is damaged, too", async () => {
    await using host = fresh();
    flip(blobOf(host, "alpha"), 100, 1);
    flip(fileOf(host, "alpha"), 3, 3);
    const found = await verifyHost(host.ctx, shallow);
    expect(found.findings.map(({ kind, thing }) => `${kind} ${thing.type}`)).toEqual(["corrupt blob"]);
    const { after, outcome } = await repairHost(host.ctx, shallow);
    expect(after.result).toBe("sound");
    expect(outcome.restored.map(({ thing, label }) => `${thing.type} ${label}`)).toEqual([
      "blob alpha@1.0.0",
      "package alpha@1.0.0",
    ]);
    expect(readdirSync(host.paths.quarantine).length).toBe(2);
  });

  test("stays where it is while there is no good one, and so does a package that needs it", async () => {
    await using host = fresh();
    flip(blobOf(host, "alpha"), 100, 1);
    rmSync(fileOf(host, "alpha"));
    const before = [picture(blobOf(host, "alpha")), picture(instances(host, "alpha")[0] as string)];
    await host.registry.down();
    try {
      const env = { ...host.ctx.env, npm_config_fetch_retries: "0" };
      const { after, outcome } = await repairHost({ ...host.ctx, env }, shallow);
      expect(after.result).toBe("damaged");
      expect(outcome.restored).toEqual([]);
      expect(outcome.failed.map(({ thing }) => thing.type)).toEqual(["blob", "package"]);
      expect(reasons(outcome.failed)[0]).toMatch(/^alpha@1\.0\.0: the registry .* accepts no connection/);
      expect(reasons(outcome.failed)[1]).toMatch(/^alpha@1\.0\.0: its blob cannot be had: the registry /);
      expect([picture(blobOf(host, "alpha")), picture(instances(host, "alpha")[0] as string)]).toEqual(before);
      expect(existsSync(host.paths.quarantine)).toBe(false);
    } finally {
      await host.registry.up();
    }
    expect((await repairHost(host.ctx, shallow)).after.result).toBe("sound");
  });

  test("is not asked for with `--offline`", async () => {
    await using host = offline(fresh());
    flip(blobOf(host, "alpha"), 100, 1);
    host.registry.forget();
    const { after, outcome } = await repairHost(host.ctx, shallow);
    expect([after.result, reasons(outcome.failed)]).toEqual(["damaged", ["alpha@1.0.0: `--offline` forbids fetching"]]);
    expect(host.registry.requests).toEqual([]);
  });

  test("is not replaced by other wrong bytes", async () => {
    await using host = fresh();
    flip(blobOf(host, "alpha"), 100, 1);
    const before = picture(blobOf(host, "alpha"));
    host.registry.fault(/alpha.*tgz/, "wrong-bytes");
    try {
      const { after, outcome } = await repairHost(host.ctx, shallow);
      expect(after.result).toBe("damaged");
      expect(reasons(outcome.failed)[0]).toContain("the registry has other bytes for it");
      expect(picture(blobOf(host, "alpha"))).toEqual(before);
    } finally {
      host.registry.heal();
    }
  });

  test("of which nobody knows whose it is, is told and let be", async () => {
    await using host = fresh();
    const stray = blobPath(host.paths, "ab".repeat(64));
    const known = blobOf(host, "beta");
    edit(known, (bytes) => bytes);
    await Bun.write(stray, "something");
    const { after, outcome } = await repairHost(host.ctx, deep);
    expect([after.result, outcome.failed.length]).toEqual(["damaged", 1]);
    expect(outcome.failed[0]?.why).toContain("no package on this host says what it is");
    expect(readFileSync(stray, "utf8")).toBe("something");
  });
});

describe("a blob that was collected", () => {
  test("leaves its package unchecked, unless that obviously lacks something", async () => {
    await using host = fresh();
    rmSync(blobOf(host, "alpha"));
    const found = await verifyHost(host.ctx, shallow);
    expect([found.result, found.findings.map(({ kind, reason }) => [kind, reason])]).toEqual([
      "unchecked",
      [["unchecked", "no-blob"]],
    ]);
    rmSync(fileOf(host, "alpha", "cli.js"));
    const worse = await verifyHost(host.ctx, shallow);
    expect([worse.result, worse.findings.map(({ kind, reason }) => [kind, reason])]).toEqual([
      "damaged",
      [
        ["unchecked", "no-blob"],
        ["corrupt", "size"],
      ],
    ]);
  });

  test("is fetched by a repair, which then finds what it hid", async () => {
    await using host = fresh();
    rmSync(blobOf(host, "alpha"));
    flip(fileOf(host, "alpha"), 3, 3);
    expect((await verifyHost(host.ctx, shallow)).result).toBe("unchecked");
    const { after, outcome } = await repairHost(host.ctx, shallow);
    expect([after.result, outcome.failed, outcome.restored.length]).toEqual(["sound", [], 2]);
  });
});

describe("a tree", () => {
  test("is rebuilt from the project's lockfile where its copy is damaged", async () => {
    await using host = fresh();
    const tree = treePath(host.paths, readCurrent(host.paths) as string);
    for (const name of ["script-packages.lock", "tree.json"])
      edit(join(tree, name), (bytes) => Buffer.alloc(bytes.length));
    const { after, outcome } = await repairHost(host.ctx, shallow);
    expect([after.result, outcome.restored.map(({ thing }) => thing.type)]).toEqual(["sound", ["tree"]]);
  });

  test("stays as it is where no lockfile has its hash", async () => {
    await using host = fresh();
    const tree = treePath(host.paths, readCurrent(host.paths) as string);
    edit(join(tree, "script-packages.lock"), (bytes) => Buffer.alloc(bytes.length));
    rmSync(host.ctx.project.lockfile);
    const before = picture(tree);
    const { after, outcome } = await repairHost(host.ctx, shallow);
    expect(after.result).toBe("damaged");
    expect(reasons(outcome.failed)[0]).toContain(
      "neither its copy of the lockfile nor the project's lockfile has its hash",
    );
    expect(picture(tree)).toEqual(before);
  });

  test("has its packages checked by their own descriptions where no lockfile has its hash", async () => {
    await using host = fresh();
    const tree = treePath(host.paths, readCurrent(host.paths) as string);
    edit(join(tree, "script-packages.lock"), (bytes) => Buffer.alloc(bytes.length));
    rmSync(host.ctx.project.lockfile);
    flip(fileOf(host, "alpha"), 3, 3);
    const { outcome } = await repairHost(host.ctx, shallow);
    expect(outcome.restored.map(({ thing, action }) => [thing.type, action])).toEqual([["package", "rebuild"]]);
  });
});

test("a damaged package that no tree needs is set aside, for the next installation to build anew", async () => {
  await using host = fresh();
  const old = readdirSync(host.paths.trees).find((hash) => hash !== readCurrent(host.paths));
  rmSync(join(host.paths.trees, old as string), { recursive: true });
  const [first] = pathsBelow(host.paths.packages, "file").filter((path) =>
    /\/epsilon@1[^/]*\/instance.json$/.test(path),
  );
  flip(join(dirname(first as string), "node_modules/epsilon/index.js"), 3, 3);
  expect((await verifyHost(host.ctx, shallow)).result).toBe("sound");
  const { after, outcome } = await repairHost(host.ctx, deep);
  expect([after.result, outcome.restored.map(({ label, action }) => [label, action])]).toEqual([
    "sound",
    [["epsilon@1.0.0", "set-aside"]],
  ]);
  expect(existsSync(dirname(first as string))).toBe(false);
});

test("the plan names what the repair then does, and does nothing", async () => {
  await using host = fresh();
  flip(blobOf(host, "alpha"), 100, 1);
  rmSync(fileOf(host, "beta"));
  rmSync(join(treePath(host.paths, readCurrent(host.paths) as string), "node_modules/.bin"), { recursive: true });
  const before = picture(host.paths.root);
  const { verification, plan } = await planHostRepair(host.ctx, shallow);
  expect(picture(host.paths.root)).toEqual(before);
  expect(verification.result).toBe("damaged");
  const { outcome } = await repairHost(host.ctx, shallow);
  const told = (steps: typeof plan.steps): string[] => steps.map(({ action, label }) => `${action} ${label}`).sort();
  expect(told(outcome.restored)).toEqual(told(plan.steps));
  expect(plan.steps.length).toBe(3);
});
