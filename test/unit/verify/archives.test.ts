/** Archives that are read in other ways: in workers, in pieces, of several parts; and a device that fails. */
import { expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { lstatSync } from "node:fs";
import { join } from "node:path";
import { repairHost, verifyHost } from "../../../src/ops/verify.ts";
import { testNeeding } from "../../support/needs.ts";
import type { PackageSpec } from "../../support/packages.ts";
import { packTarball } from "../../support/tarball.ts";
import { createHost, flip, pathsBelow, type TestHost } from "./host.ts";

const main = join(import.meta.dir, "../../../src/cli/main.ts");
const shallow = { deep: false, reason: undefined };

async function hostWith(...specs: PackageSpec[]): Promise<TestHost> {
  const host = await createHost(specs);
  const lines = specs.map(({ name, version }) => `  ${name}: ${version}\n`).join("");
  await host.install(`packages:\n${lines}`);
  return host;
}

function filesOf({ paths }: TestHost, name: string): string[] {
  return pathsBelow(paths.packages, "file").filter((path) => path.endsWith(`/${name}`));
}

/** Damages each file in turn at its very end, and expects it found there and healed. */
async function expectHealed(host: TestHost, files: readonly string[]): Promise<void> {
  expect(files.length).toBeGreaterThan(0);
  for (const path of files) flip(path, lstatSync(path).size - 1, 0);
  const { findings } = await verifyHost(host.ctx, shallow);
  expect(findings.map((finding) => join(host.paths.root, finding.path))).toEqual([...files]);
  const { after, outcome } = await repairHost(host.ctx, shallow);
  expect([after.result, outcome.restored.length, outcome.failed]).toEqual(["sound", files.length, []]);
}

test("many packages: checked and built in workers", async () => {
  const names = Array.from({ length: 30 }, (_, i) => `p${i}`);
  const specs = names.map((name) => ({ name, version: "1.0.0", files: { "index.js": `exports.name = "${name}";\n` } }));
  await using host = await hostWith(...specs);
  const told: number[] = [];
  const ctx = { ...host.ctx, progress: ({ done, total }: { done: number; total: number }) => told.push(done / total) };
  const { result, checked } = await verifyHost(ctx, { deep: false });
  expect([result, checked.packages, checked.files]).toEqual(["sound", 30, 60]);
  expect(told.at(-1)).toBe(1);
  await expectHealed(host, filesOf(host, "index.js"));
});

test("an archive of several gzip parts, which the quick way reads a piece of", async () => {
  const whole = Buffer.from(
    Bun.gunzipSync(
      packTarball([
        { path: "package/package.json", content: '{"name":"parts","version":"1.0.0"}' },
        { path: "package/index.js", content: "module.exports = 1;\n" },
      ]),
    ),
  );
  for (const cut of [700, whole.length / 2]) {
    const tarball = Buffer.concat([Bun.gzipSync(whole.subarray(0, cut)), Bun.gzipSync(whole.subarray(cut))]);
    await using host = await hostWith({ name: "parts", version: "1.0.0", tarball });
    expect((await verifyHost(host.ctx, { deep: true })).findings).toEqual([]);
    await expectHealed(host, filesOf(host, "index.js"));
  }
});

test("an archive too large to be held", async () => {
  await using host = await hostWith({ name: "large", version: "1.0.0", meta: { padding: 33 * 1024 * 1024 } });
  await expectHealed(host, filesOf(host, "padding.bin"));
}, 20_000);

testNeeding(
  ["linux", "strace"],
  "a device that fails to read: cannot be checked, and is replaced by a repair",
  async () => {
    await using host = await createHost();
    await host.install("packages:\n  beta: 1.0.0\n");
    const [path = ""] = filesOf(host, "beta/index.js");
    // A repair looks twice before it acts.
    const run = (...flags: string[]) => {
      const inject = ["-P", path, "-e", "inject=read,pread64:error=EIO:when=1..2"];
      const traced = ["-f", "-qq", "-o", "/dev/null", "-e", "trace=read,pread64", ...inject];
      const csp = [
        process.execPath,
        "--config=/dev/null",
        main,
        "verify",
        "--data-dir",
        join(host.paths.root, ".."),
        ...flags,
      ];
      const { status, stdout } = spawnSync("strace", [...traced, ...csp], {
        cwd: host.ctx.project.directory,
        encoding: "utf8",
      });
      return { status, stdout };
    };
    const found = run();
    expect(found.stdout).toMatch(/^cannot be checked: packages\/v1\/beta@\S+\/index\.js cannot be read \(EIO\)$/m);
    expect(found.status).toBe(75);
    const repaired = run("--repair");
    expect(repaired.stdout).toMatch(/^rebuilt package beta@1\.0\.0 from the cache; /m);
    expect(repaired.status).toBe(0);
  },
  20_000,
);
