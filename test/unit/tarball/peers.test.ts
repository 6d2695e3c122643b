/** The odd archives unpack to the same files as with `bun install` and with npm's own tar library. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import * as npmTar from "tar";
import { createBox, snapshot } from "../../support/unpack-box.ts";
import { oddities } from "./oddities.ts";

const box = createBox();
const project = path.join(box.root, "project");

/** Path to content hash and execute bit; directories without files do not count. */
function tree(root: string, skip: (name: string) => boolean = () => false): Record<string, string> {
  const files: Record<string, string> = {};
  for (const [name, text] of snapshot(root)) {
    if (!text.startsWith("file ") || skip(name)) continue;
    const executable = (fs.statSync(path.join(root, name)).mode & 0o100) !== 0;
    files[name] = `${createHash("sha256")
      .update(text.slice(text.indexOf(" ", 5)))
      .digest("hex")} ${executable}`;
  }
  return files;
}

async function unpacked(index: number): Promise<Record<string, string>> {
  const oddity = oddities[index];
  if (oddity === undefined) throw new Error("no such archive");
  const attempt = await box.unpack(oddity.bytes, { name: oddity.name, version: "1.0.0" });
  expect(attempt.message).toBe("");
  return tree(path.join(box.root, "a/b/c/destination"));
}

/** Serves every odd archive as a package of its own name. */
function serveOddities() {
  return Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch(request) {
      const url = new URL(request.url);
      const oddity = oddities.find(
        ({ name }) => url.pathname.startsWith(`/${name}`) && url.pathname.split("/")[1] === name,
      );
      if (oddity === undefined) return new Response("not found", { status: 404 });
      if (url.pathname.endsWith(".tgz")) return new Response(Buffer.from(oddity.bytes));
      const dist = {
        tarball: `${url.origin}/${oddity.name}/-/${oddity.name}-1.0.0.tgz`,
        integrity: `sha512-${createHash("sha512").update(oddity.bytes).digest("base64")}`,
      };
      const version = { name: oddity.name, version: "1.0.0", bin: oddity.json?.bin, dist };
      return Response.json({ name: oddity.name, "dist-tags": { latest: "1.0.0" }, versions: { "1.0.0": version } });
    },
  });
}

beforeAll(async () => {
  using server = serveOddities();
  fs.mkdirSync(project);
  const dependencies = Object.fromEntries(oddities.map(({ name }) => [name, "1.0.0"]));
  fs.writeFileSync(path.join(project, "package.json"), JSON.stringify({ name: "project", dependencies }));
  const child = Bun.spawn(
    [
      process.execPath,
      "install",
      "--linker=hoisted",
      "--backend=copyfile",
      "--ignore-scripts",
      `--registry=${server.url}`,
    ],
    {
      cwd: project,
      env: { PATH: "/usr/bin:/bin", HOME: project, BUN_INSTALL_CACHE_DIR: path.join(box.root, "cache") },
      stdout: "ignore",
      stderr: "pipe",
    },
  );
  const stderr = await new Response(child.stderr).text();
  if ((await child.exited) !== 0) throw new Error(stderr);
});
afterAll(() => box[Symbol.dispose]());

const cases = oddities.map((oddity, index) => ({ name: oddity.name, oddity, index }));

test.each(cases)("$name as bun installs it", async ({ oddity, index }) => {
  const ours = await unpacked(index);
  const theirs = tree(path.join(project, "node_modules", oddity.name));
  if (oddity.differs?.bun === undefined) expect(theirs).toEqual(ours);
  else expect(theirs).not.toEqual(ours);
});

test.each(cases)("$name as npm's library unpacks it", async ({ oddity, index }) => {
  const ours = await unpacked(index);
  const directory = path.join(box.root, "npm", oddity.name);
  fs.mkdirSync(directory, { recursive: true });
  const archive = path.join(box.root, "npm.tgz");
  fs.writeFileSync(archive, oddity.bytes);
  // As npm calls it: the first segment dropped, links left out, files at least 0666 before the umask.
  npmTar.x({
    file: archive,
    cwd: directory,
    sync: true,
    strip: 1,
    preserveOwner: false,
    noMtime: true,
    onwarn: () => {},
    filter: (_name, entry) => {
      if (!("type" in entry)) return true;
      if (/Link$/.test(entry.type)) return false;
      entry.mode = (entry.mode ?? 0) | (entry.type === "Directory" ? 0o777 : 0o666);
      return true;
    },
  });
  const programs = new Set(oddity.name === "odd-bin" ? oddity.executables : []);
  for (const program of programs) fs.chmodSync(path.join(directory, program), 0o755);
  const theirs = tree(directory);
  if (oddity.differs?.npm === undefined) expect(theirs).toEqual(ours);
  else expect(theirs).not.toEqual(ours);
});
