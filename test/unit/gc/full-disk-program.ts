/**
 * Run on a small file system of its own (TMPDIR): makes a host, fills the file system with what the argument says
 * (`bytes` or `inodes`), collects, and prints what came of it.
 */
import { mkdirSync, readdirSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { applyGc } from "../../../src/ops/gc/apply.ts";
import { day, everything, hour, makeHost } from "./host.ts";

const host = makeHost();
for (const letter of "abcd") {
  await host.install(letter, ["shared@1", `${letter}@1`]);
  host.clock.now += hour;
}
host.clock.now += day;
// Blobs and leftovers would make room before it is needed: only trees and packages are to go.
const options = everything({ blobs: false, leftovers: false });
const fillers = join(host.paths.root, "..", "fillers");
mkdirSync(fillers);
const content = process.argv[2] === "bytes" ? Buffer.alloc(4096) : Buffer.alloc(0);
let refused: string | undefined;
for (let n = 0; refused === undefined && n < 100_000; n++) {
  try {
    writeFileSync(join(fillers, String(n)), content);
  } catch (error) {
    refused = (error as NodeJS.ErrnoException).code;
  }
}
const { bavail, ffree } = statfsSync(fillers);
const { plan, failed } = await applyGc(host.ctx, options);
console.log(
  JSON.stringify({
    refused,
    left: process.argv[2] === "bytes" ? bavail : ffree,
    failed: failed.map(({ error }) => error.message),
    collected: plan.trees.length,
    trees: readdirSync(host.paths.trees)
      .map((hash) => hash[0])
      .sort()
      .join(""),
    packages: readdirSync(host.paths.packages).length,
    tmp: readdirSync(host.paths.tmp),
  }),
);
