/** Modes, umasks and errors of the file system. */
import { afterAll, expect, test } from "bun:test";
import * as fs from "node:fs";
import * as path from "node:path";
import { demo, pax } from "../../support/tar-builder.ts";
import { createBox, snapshot } from "../../support/unpack-box.ts";

const box = createBox();
afterAll(() => box[Symbol.dispose]());

const archive = demo(
  { name: "package/lib/", type: "5", mode: 0o2777 },
  { name: "package/lib/a.js", body: "a", mode: 0o4666 },
  { name: "package/lib/tool", body: "t", mode: 0o100 },
  { name: "package/deep/er/b.js", body: "b" },
);

/** Unpacks in a process of its own, behind some sh commands; its answer is the code of the error or "done". */
async function unpackAfter(shell: string, bytes: Uint8Array, name: string): Promise<string> {
  const file = path.join(box.root, `${name}.tgz`);
  fs.writeFileSync(file, bytes);
  const script = `
    import { unpackTarball } from ${JSON.stringify(path.resolve(import.meta.dir, "../../../src/tree/unpack.ts"))};
    const bytes = await Bun.file(process.argv[1]).bytes();
    const error = await unpackTarball(bytes, process.argv[2], { name: "demo", version: "1.0.0" }).then(() => undefined, (e) => e);
    console.log(error === undefined ? "done" : error.code);
  `;
  const command = `${shell}; exec "$0" --config=/dev/null --no-env-file -e "$1" "$2" "$3"`;
  const child = Bun.spawn(["/bin/sh", "-c", command, process.execPath, script, file, path.join(box.root, name)], {
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  await child.exited;
  return out.trim() || err;
}

test.each(["000", "022", "077", "277"])("modes are the same under umask %s", async (umask) => {
  const name = `umask-${umask}`;
  expect(await unpackAfter(`umask ${umask}`, archive, name)).toBe("done");
  const root = path.join(box.root, name);
  const modes = [...snapshot(root)].map(([at, text]) => `${at} ${text.split(" ", 2).join(" ")}`).sort();
  expect(modes).toEqual([
    "deep directory 755",
    "deep/er directory 755",
    "deep/er/b.js file 444",
    "lib directory 755",
    "lib/a.js file 444",
    "lib/tool file 555",
    "package.json file 444",
  ]);
  expect((fs.statSync(root).mode & 0o7777).toString(8)).toBe("755");
});

test("a write that fails passes through and leaves nothing", async () => {
  const large = demo({ name: "package/a", body: "small" }, { name: "package/large", body: Buffer.alloc(300_000, "x") });
  // Files of at most 64 or 128 KiB, depending on the shell's unit.
  expect(await unpackAfter("ulimit -f 128", large, "limited")).toBe("EFBIG");
  expect(fs.existsSync(path.join(box.root, "limited"))).toBe(false);
});

test("a destination that is there is an error and stays as it is", async () => {
  fs.mkdirSync(path.join(box.root, "taken"));
  fs.writeFileSync(path.join(box.root, "taken/mine"), "mine");
  expect(await unpackAfter("true", archive, "taken")).toBe("EEXIST");
  expect(fs.readdirSync(path.join(box.root, "taken"))).toEqual(["mine"]);
});

test("a link in place of the destination is not followed", async () => {
  fs.mkdirSync(path.join(box.root, "elsewhere"));
  fs.symlinkSync("elsewhere", path.join(box.root, "linked"));
  expect(await unpackAfter("true", archive, "linked")).toBe("EEXIST");
  expect(fs.readdirSync(path.join(box.root, "elsewhere"))).toEqual([]);
});

test("a missing parent is an error", async () => {
  expect(await unpackAfter("true", archive, "missing-parent")).toBe("done");
  expect(await unpackAfter('rm -rf "$3"; set -- "$1" "$2" "$3/below"', archive, "missing-parent")).toBe("ENOENT");
});

test("a path too long for the system is the archive's fault", async () => {
  const long = Array.from({ length: 16 }, () => "y".repeat(250)).join("/");
  const attempt = await box.unpack(demo(pax({ path: `package/${long}/${"z".repeat(70)}` }), { name: "package/cut" }));
  expect([attempt.rule, attempt.exists]).toEqual(["unstorable", false]);
});
