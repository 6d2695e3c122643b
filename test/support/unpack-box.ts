/** A temporary directory to unpack into, with neighbours that must not change. */
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { CspError } from "../../src/core/errors.ts";
import { type UnpackLimits, type UnpackResult, unpackTarball } from "../../src/tree/unpack.ts";

export const demoPackage = { name: "demo", version: "1.0.0" };

/** What unpacking came to. `changed` names everything that is different outside the destination. */
export interface Attempt {
  result?: UnpackResult;
  rule?: unknown;
  error?: unknown;
  message: string;
  /** Path to content, of the files in the destination. */
  files: Record<string, string>;
  exists: boolean;
  changed: string[];
}

export interface Box {
  root: string;
  unpack(bytes: Uint8Array, expected?: typeof demoPackage, limits?: Partial<UnpackLimits>): Promise<Attempt>;
  [Symbol.dispose](): void;
}

/** `using box = createBox()` removes it at the end of the block. */
export function createBox(): Box {
  // Hundreds of small trees come and go: in memory where the system has a place for that.
  const parent = fs.existsSync("/dev/shm") ? "/dev/shm" : fs.realpathSync(os.tmpdir());
  const root = fs.mkdtempSync(path.join(parent, "csp-unpack-"));
  const inner = path.join(root, "a/b/c");
  fs.mkdirSync(path.join(inner, "canary"), { recursive: true });
  for (const at of [root, path.join(root, "a"), inner, path.join(inner, "canary")]) {
    fs.writeFileSync(path.join(at, "x"), "canary");
  }
  const destination = path.join(inner, "destination");

  async function unpack(bytes: Uint8Array, expected = demoPackage, limits: Partial<UnpackLimits> = {}) {
    fs.rmSync(destination, { recursive: true, force: true });
    const before = snapshot(root);
    const attempt: Attempt = { message: "", files: {}, exists: false, changed: [] };
    try {
      attempt.result = await unpackTarball(bytes, destination, expected, limits);
    } catch (error) {
      attempt.error = error;
      attempt.message = error instanceof Error ? error.message : String(error);
      if (error instanceof CspError && error.code === "CSP_TARBALL_INVALID") attempt.rule = error.data.rule;
    }
    attempt.exists = fs.existsSync(destination);
    if (attempt.exists) attempt.files = contents(destination);
    const after = snapshot(root);
    const inside = path.relative(root, destination);
    attempt.changed = [...new Set([...before.keys(), ...after.keys()])].filter(
      (key) => key !== inside && !key.startsWith(`${inside}/`) && before.get(key) !== after.get(key),
    );
    return attempt;
  }

  return { root, unpack, [Symbol.dispose]: () => fs.rmSync(root, { recursive: true, force: true }) };
}

/** Every path below a directory with its kind, mode and content. */
export function snapshot(root: string): Map<string, string> {
  const seen = new Map<string, string>();
  for (const name of fs.readdirSync(root, { recursive: true, encoding: "utf8" })) {
    const at = path.join(root, name);
    const stat = fs.lstatSync(at);
    const mode = (stat.mode & 0o7777).toString(8);
    if (stat.isFile()) seen.set(name, `file ${mode} ${fs.readFileSync(at, "latin1")}`);
    else seen.set(name, stat.isDirectory() ? `directory ${mode}` : `other ${mode}`);
  }
  return seen;
}

function contents(root: string): Record<string, string> {
  const files: Record<string, string> = {};
  for (const [name, text] of snapshot(root)) {
    if (text.startsWith("file ")) files[name] = text.slice(text.indexOf(" ", 5) + 1);
    else if (text.startsWith("other ")) files[name] = "NOT A FILE";
  }
  return files;
}
