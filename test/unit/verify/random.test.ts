/** One bit of a host's files turned round at a time: each is found, and each that has a source is healed. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { lstatSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { repairHost, type Verification, verifyHost } from "../../../src/ops/verify.ts";
import { readCurrent } from "../../../src/tree/current.ts";
import { allowlists, createHost, edit, flip, pathsBelow, type TestHost } from "./host.ts";

const isLong = process.env.CSP_TEST_LONG === "1";
const rounds = isLong ? 500 : 30;
const linkers = ["isolated", "hoisted"] as const;
const hosts = new Map<string, TestHost>();

beforeAll(async () => {
  for (const linker of linkers) {
    const host = await createHost();
    hosts.set(linker, host);
    for (const allowlist of allowlists(linker)) await host.install(allowlist);
  }
});
afterAll(async () => {
  for (const host of hosts.values()) await host[Symbol.asyncDispose]();
});

for (const linker of linkers) {
  test(
    `${rounds} bits in an ${linker} host`,
    async () => {
      const host = hosts.get(linker) as TestHost;
      const { ctx, paths } = host;
      const seed = isLong ? Date.now() : 20;
      const random = generator(seed);
      for (let round = 0; round < rounds; round++) {
        const files = [paths.cache, paths.packages, paths.trees].flatMap((folder) => pathsBelow(folder, "file"));
        const path = files[random(files.length)] as string;
        const { size } = lstatSync(path);
        if (size === 0) continue;
        const [byte, bit] = [random(size), random(8)];
        const what = `seed ${seed}, round ${round}: bit ${bit} of byte ${byte} in ${path.slice(paths.root.length)}`;
        flip(path, byte, bit);
        const found = await verifyHost(ctx, { deep: true });
        expect(damagedPaths(found), what).toContain(path.slice(paths.root.length + 1));
        const { after, outcome } = await repairHost(ctx, { deep: true, reason: undefined });
        const current = readCurrent(paths) as string;
        const hasSource = !path.endsWith("script-packages.lock") || path.startsWith(join(paths.trees, current));
        if (hasSource)
          expect({ result: after.result, failed: outcome.failed }, what).toEqual({ result: "sound", failed: [] });
        else if (after.result === "damaged") flip(path, byte, bit);
        expect((await verifyHost(ctx, { deep: true })).findings, what).toEqual([]);
      }
    },
    isLong ? 600_000 : 30_000,
  );
}

test("bits in the journal: found, and noted because what they said is lost", async () => {
  const { ctx, paths } = hosts.get("isolated") as TestHost;
  const random = generator(7);
  const whole = readFileSync(paths.journal);
  for (let round = 0; round < 10; round++) {
    // The very last byte ends the last line, which a crash may cut short.
    flip(paths.journal, random(whole.length - 1), random(8));
    const found = await verifyHost(ctx, { deep: false });
    expect(found.findings.map(({ kind, thing }) => [kind, thing.type])).toEqual([["corrupt", "journal"]]);
    const { after, outcome } = await repairHost(ctx, { deep: false, reason: undefined });
    expect(outcome.failed.map(({ thing }) => thing.type)).toEqual(["journal"]);
    expect(after.result).toBe("sound");
    edit(paths.journal, () => whole);
  }
});

function damagedPaths({ findings }: Verification): string[] {
  return findings.filter(({ kind }) => kind !== "unchecked").map(({ path }) => path);
}

/** A small generator of whole numbers below a limit; equal seeds give equal rows. */
function generator(seed: number): (limit: number) => number {
  let state = seed >>> 0;
  return (limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}
