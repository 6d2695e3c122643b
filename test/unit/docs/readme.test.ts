/** The README's line for newcomers does what it says, here with a registry on loopback in the place of the public one. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startRegistry, type TestRegistry } from "../../support/registry.ts";
import { makeTemp, removeTree } from "../../support/temp.ts";
import { readPage, root, sectionsOf } from "./page.ts";

const temp = makeTemp();
let registry: TestRegistry;

beforeAll(async () => {
  const files = {
    "package.json": '{ "type": "module", "exports": "./index.js" }',
    "index.js": 'export default (bytes) => Math.round(bytes / 1e9) + " GB";',
  };
  registry = await startRegistry([{ name: "pretty-bytes", version: "7.2.0", files }]);
  writeFileSync(join(temp, ".npmrc"), `registry=${registry.url}/\n`);
});

afterAll(async () => {
  await registry.stop();
  removeTree(temp);
});

test("from nothing to a script that imports a package, in one line", async () => {
  const section = sectionsOf(readPage("README.md")).get("Two commands") ?? "";
  const [line = "", second = ""] = [...section.matchAll(/```sh\n(.+)\n```/g)].map((match) => match[1]);
  const install = "npm ci && ";
  expect(line.startsWith(install)).toBe(true);
  expect(second).toBe("npm test");
  const child = Bun.spawn(["sh", "-c", line.slice(install.length)], {
    cwd: root,
    env: { HOME: temp, TMPDIR: temp, PATH: process.env.PATH ?? "" },
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  expect(err).toBe("");
  expect(await child.exited).toBe(0);
  expect(out).toMatch(
    /^pretty-bytes@latest is 7\.2\.0\n\+ pretty-bytes 7\.2\.0\ncurrent is now [0-9a-f]{12}: 1 package/m,
  );
  expect(out).toMatch(/^\d+ GB free\n$/m);
  const project = readdirSync(temp).find((name) => !name.startsWith(".")) ?? "";
  expect(readFileSync(join(temp, project, "script-packages.yaml"), "utf8")).toContain("pretty-bytes: 7.2.0");
});
