import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { lockOf, resolveWith, rootsOf, startRegistry, withTemp } from "./fixture.ts";

const registry = startRegistry({
  a: { versions: { "1.0.0": {}, "1.1.0": {}, "2.0.0": {} } },
  b: { versions: { "1.0.0": { dependencies: { a: "^1.0.0" } } } },
  c: { versions: { "1.0.0": {} } },
  old: { versions: { "1.0.0": { deprecated: "use\u001b[31m c\u001b[0m\ninstead" } } },
  "@s/q": { versions: { "1.0.0": {} } },
  optional: { versions: { "1.0.0": { optionalDependencies: { absent: "^1.0.0" } } } },
  peers: { versions: { "1.0.0": { peerDependencies: { a: "^7.0.0" } } } },
  young: { versions: { "1.0.0": {}, "1.1.0": {} }, time: { "1.1.0": new Date().toISOString() } },
  wantsYoung: { versions: { "1.0.0": { dependencies: { young: "^1.0.0" } } } },
});
afterAll(() => registry.stop());

interface Lock {
  workspaces: { "": Record<string, unknown> };
  packages: Record<string, unknown[]>;
}

const read = (lock: string) => Bun.JSONC.parse(lock) as Lock;

describe("what is resolved", () => {
  test("plain, scoped, aliased and optional roots", async () => {
    const resolution = await resolveWith(registry, rootsOf({ "@s/q": "1.0.0", mine: "npm:a@1.1.0" }, { c: "1.0.0" }));
    const { packages, workspaces } = read(lockOf(resolution));
    expect(Object.entries(packages).map(([key, tuple]) => [key, tuple[0]])).toEqual([
      ["@s/q", "@s/q@1.0.0"],
      ["c", "c@1.0.0"],
      ["mine", "a@1.1.0"],
    ]);
    expect(workspaces[""]).toEqual({
      dependencies: { "@s/q": "1.0.0", mine: "npm:a@1.1.0" },
      optionalDependencies: { c: "1.0.0" },
    });
  });

  test("an empty set is an empty lockfile, without bun and without the directory", async () => {
    const resolution = await resolveWith(registry, rootsOf({}), { bun: "/nonexistent/bun", scratch: "/nonexistent" });
    const lock = lockOf(resolution);
    expect(read(lock).packages).toEqual({});
    // It is one that bun itself goes on from.
    const next = await resolveWith(registry, rootsOf({ c: "1.0.0" }), { previous: lock });
    expect(Object.keys(read(lockOf(next)).packages)).toEqual(["c"]);
  });

  test("equal input gives equal bytes", async () => {
    const once = () => resolveWith(registry, rootsOf({ b: "1.0.0", c: "1.0.0" }));
    expect(lockOf(await once())).toBe(lockOf(await once()));
  });

  test("the minimum release age sends a range to an older version", async () => {
    const day = { minimumReleaseAgeMs: 86_400_000 };
    const held = await resolveWith(registry, rootsOf({ wantsYoung: "1.0.0" }), day);
    expect(read(lockOf(held)).packages.young?.[0]).toBe("young@1.0.0");
    const free = await resolveWith(registry, rootsOf({ wantsYoung: "1.0.0" }));
    expect(read(lockOf(free)).packages.young?.[0]).toBe("young@1.1.0");
  });
});

describe("the previous lockfile", () => {
  test("adding a package adds its lines and changes no other", async () => {
    // Locked while 1.0.0 was all there was: resolved afresh, the range would now mean 1.1.0.
    const before = startRegistry({ ...registry.packages, a: { versions: { "1.0.0": {} } } });
    const locked = lockOf(await resolveWith(before, rootsOf({ b: "1.0.0" }))).replaceAll(before.url, registry.url);
    await before.stop();
    const grown = lockOf(await resolveWith(registry, rootsOf({ b: "1.0.0", c: "1.0.0" }), { previous: locked }));
    const oldLines = locked.split("\n");
    const added = grown.split("\n").filter((line) => !oldLines.includes(line));
    expect(oldLines.filter((line) => !grown.split("\n").includes(line))).toEqual([]);
    expect(added.map((line) => line.trim().slice(0, 12))).toEqual(['"c": "1.0.0"', '"c": ["c@1.0']);
  });

  test("removing a package removes only its lines", async () => {
    const both = lockOf(await resolveWith(registry, rootsOf({ b: "1.0.0", c: "1.0.0" })));
    const less = lockOf(await resolveWith(registry, rootsOf({ b: "1.0.0" }), { previous: both }));
    expect(less).toBe(lockOf(await resolveWith(registry, rootsOf({ b: "1.0.0" }))));
  });

  test("nothing new asks the registry nothing", async () => {
    const locked = lockOf(await resolveWith(registry, rootsOf({ b: "1.0.0" })));
    const asked = registry.requests.length;
    expect(lockOf(await resolveWith(registry, rootsOf({ b: "1.0.0" }), { previous: locked }))).toBe(locked);
    expect(registry.requests.length).toBe(asked);
  });

  test("one that bun throws away is a failure, though bun calls it success", async () => {
    for (const previous of ['{"lockfileVersion": 99, "workspaces": {"": {}}, "packages": {}}', "{ broken"]) {
      const resolution = await resolveWith(registry, rootsOf({ c: "1.0.0" }), { previous });
      expect(resolution).toMatchObject({ kind: "failed" });
      if (resolution.kind === "failed") {
        expect(resolution.failures.map((failure) => failure.text).join("\n")).toContain("Ignoring lockfile");
      }
    }
  });
});

describe("remarks", () => {
  test("deprecation, a missing optional package and a peer that does not fit", async () => {
    const resolution = await resolveWith(registry, rootsOf({ old: "1.0.0", optional: "1.0.0", peers: "1.0.0" }));
    if (resolution.kind === "failed") throw new Error(JSON.stringify(resolution.failures));
    const remarks = resolution.warnings.sort((a, b) => (a.kind < b.kind ? -1 : 1));
    expect(remarks).toEqual([
      {
        kind: "deprecated",
        name: "old",
        version: "1.0.0",
        text: "`old@1.0.0` is deprecated: use c instead",
      },
      {
        kind: "optional-missing",
        name: "absent",
        status: 404,
        text: "the optional package `absent` is left out: the registry answered 404",
      },
      { kind: "peer", name: "a", spec: "^7.0.0", text: "no version of the peer `a` matches `^7.0.0`" },
    ]);
  });
});

describe("where the scratch directory lies does not matter", () => {
  const parents = {
    "a workspace root that takes every directory":
      '{"name":"user","workspaces":["**"],"dependencies":{"absent":"1.0.0"}}',
    "a workspace root that names the very directory": '{"name":"user","workspaces":["data/scratch/project"]}',
    "a package.json that is broken": '{"workspaces": broken',
  };
  test.each(Object.entries(parents))("below %s", async (_, manifest) => {
    await withTemp(async (user) => {
      writeFileSync(join(user, "package.json"), manifest);
      writeFileSync(join(user, ".npmrc"), "registry=http://127.0.0.1:1/\n");
      writeFileSync(join(user, ".env"), "BUN_CONFIG_REGISTRY=http://127.0.0.1:1/\n");
      const scratch = join(user, "data", "scratch");
      mkdirSync(scratch, { recursive: true });
      const lock = lockOf(await resolveWith(registry, rootsOf({ c: "1.0.0" }), { scratch }));
      expect(Object.keys(read(lock).packages)).toEqual(["c"]);
      expect(readdirSync(user).sort()).toEqual([".env", ".npmrc", "data", "package.json"]);
    });
  });
});
