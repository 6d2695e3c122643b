import { afterEach, beforeEach, expect } from "bun:test";
import { join } from "node:path";
import { testNeeding } from "../../support/needs.ts";
import { makeTemp, removeTree } from "../../support/temp.ts";
import { withMount } from "../fs/child.ts";

let directory: string;
beforeEach(() => {
  directory = makeTemp();
});
afterEach(() => removeTree(directory));

for (const [what, size] of [
  ["bytes", "size=1m"],
  ["inodes", "size=8m,nr_inodes=120"],
] as const) {
  testNeeding(["root", "linux"], `collecting works with no ${what} left`, () => {
    const mount = withMount(`mount -t tmpfs -o ${size} tmpfs ${directory}`);
    const program = join(import.meta.dir, "full-disk-program.ts");
    const { stdout, stderr } = Bun.spawnSync([...mount, process.execPath, program, what], {
      env: { ...process.env, TMPDIR: directory },
    });
    const printed = stdout.toString();
    if (!printed.startsWith("{")) throw new Error(stderr.toString());
    expect(JSON.parse(printed)).toEqual({
      refused: "ENOSPC",
      left: 0,
      failed: [],
      collected: 2,
      trees: "cd",
      packages: 3,
      tmp: [],
    });
  });
}
