/** Every kind of damage, on both kinds of trees: what it is called, where it is, and that a repair heals it. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { repairHost, verifyHost } from "../../../src/ops/verify.ts";
import { hasTree, readCurrent } from "../../../src/tree/current.ts";
import { readJournal } from "../../../src/tree/journal.ts";
import { leasePath, treePath } from "../../../src/tree/layout.ts";
import { allowlists, createHost, edit, flip, pathsBelow, type TestHost } from "./host.ts";

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

interface Damage {
  name: string;
  /** Does it, and returns the path at which it must be found. */
  do: (host: TestHost) => string;
  kind: "corrupt" | "missing";
  reason: string;
  /** Only on trees of this linker. */
  linker?: "isolated" | "hoisted";
}

/** The folder of alpha's files that scripts see. */
const alpha = ({ paths }: TestHost): string => {
  const [instance] = pathsBelow(paths.packages, "file").filter((path) => /\/alpha@[^/]*\/instance.json$/.test(path));
  return join(dirname(instance as string), "node_modules/alpha");
};
const tree = ({ paths }: TestHost): string => treePath(paths, readCurrent(paths) as string);
const largestBlob = ({ paths }: TestHost): string =>
  pathsBelow(paths.cache, "file").toSorted((a, b) => lstatSync(b).size - lstatSync(a).size)[0] as string;

const damages: readonly Damage[] = [
  {
    name: "a file cut short",
    do: (host) => truncated(join(alpha(host), "padding.bin"), 70_000),
    kind: "corrupt",
    reason: "size",
  },
  {
    name: "a file with more at its end",
    do: (host) => edited(join(alpha(host), "index.js"), (bytes) => Buffer.concat([bytes, Buffer.from("\n")])),
    kind: "corrupt",
    reason: "size",
  },
  {
    name: "a file of the right size full of zeros",
    do: (host) => edited(join(alpha(host), "lib/deep/er/data.json"), (bytes) => Buffer.alloc(bytes.length)),
    kind: "corrupt",
    reason: "content",
  },
  {
    name: "a change at the end of a large file",
    do: (host) => flipped(join(alpha(host), "padding.bin"), 199_999),
    kind: "corrupt",
    reason: "content",
  },
  {
    name: "content in an empty file",
    do: (host) => edited(join(alpha(host), "lib/empty.txt"), () => Buffer.from("x")),
    kind: "corrupt",
    reason: "size",
  },
  { name: "a file removed", do: (host) => removed(join(alpha(host), "cli.js")), kind: "missing", reason: "absent" },
  {
    name: "an empty folder removed",
    do: (host) => removed(join(alpha(host), "hollow")),
    kind: "missing",
    reason: "absent",
  },
  {
    name: "a file more",
    do: (host) => written(join(alpha(host), "lib/more.js"), "module.exports = 1;\n"),
    kind: "corrupt",
    reason: "extra",
  },
  {
    name: "a folder more",
    do: (host) => {
      const path = join(alpha(host), "node_modules/evil");
      mkdirSync(path, { recursive: true });
      writeFileSync(join(path, "index.js"), "");
      return dirname(path);
    },
    kind: "corrupt",
    reason: "extra",
  },
  {
    name: "a file that everybody may write",
    do: (host) => moded(join(alpha(host), "index.js"), 0o666),
    kind: "corrupt",
    reason: "mode",
  },
  {
    name: "a program that cannot be run",
    do: (host) => moded(join(alpha(host), "cli.js"), 0o444),
    kind: "corrupt",
    reason: "mode",
  },
  {
    name: "a folder that everybody may write",
    do: (host) => moded(join(alpha(host), "lib"), 0o777),
    kind: "corrupt",
    reason: "mode",
  },
  {
    name: "a link in a file's place, with the same content",
    do(host) {
      const path = join(alpha(host), "index.js");
      renameSync(path, join(alpha(host), "../../aside.js"));
      symlinkSync("../../aside.js", path);
      return path;
    },
    kind: "corrupt",
    reason: "type",
  },
  {
    name: "a folder in a file's place",
    do(host) {
      const path = removed(join(alpha(host), "index.js"));
      mkdirSync(path);
      return path;
    },
    kind: "corrupt",
    reason: "type",
  },
  {
    name: "a link in a folder's place",
    do(host) {
      const path = join(alpha(host), "lib");
      renameSync(path, join(alpha(host), "../../lib"));
      symlinkSync("../../lib", path);
      return path;
    },
    kind: "corrupt",
    reason: "type",
  },
  {
    name: "a link of a package that leads elsewhere",
    do(host) {
      const [own, other] = ["beta", "@s/gamma"].map((name) => join(alpha(host), "..", name)) as [string, string];
      const target = readlinkSync(other);
      unlinkSync(own);
      symlinkSync(target, own);
      return own;
    },
    kind: "corrupt",
    reason: "target",
    linker: "isolated",
  },
  {
    name: "a link of a package removed",
    do: (host) => removed(join(alpha(host), "../beta")),
    kind: "missing",
    reason: "absent",
    linker: "isolated",
  },
  {
    name: "a link more in a package",
    do(host) {
      const path = join(alpha(host), "../evil");
      symlinkSync("alpha", path);
      return path;
    },
    kind: "corrupt",
    reason: "extra",
  },
  {
    name: "a package's description removed",
    do: (host) => removed(join(alpha(host), "../../instance.json")),
    kind: "missing",
    reason: "absent",
  },
  {
    name: "a package's description without a word",
    do: (host) => truncated(join(alpha(host), "../../instance.json"), 0),
    kind: "corrupt",
    reason: "description",
  },
  {
    name: "a whole package removed",
    do: (host) => removed(join(alpha(host), "../..")),
    kind: "missing",
    reason: "absent",
  },
  {
    name: "a package emptied",
    do: (host) => removed(alpha(host)),
    kind: "missing",
    reason: "absent",
  },
  {
    name: "a link in a package's place",
    do(host) {
      const path = join(alpha(host), "../..");
      const aside = join(host.ctx.project.directory, "aside");
      renameSync(path, aside);
      symlinkSync(aside, path);
      return path;
    },
    kind: "corrupt",
    reason: "type",
  },
  {
    name: "a blob with a bit round",
    do: (host) => flipped(largestBlob(host), 1000),
    kind: "corrupt",
    reason: "digest",
  },
  { name: "a blob cut short", do: (host) => truncated(largestBlob(host), 4096), kind: "corrupt", reason: "digest" },
  { name: "an empty blob", do: (host) => truncated(largestBlob(host), 0), kind: "corrupt", reason: "digest" },
  {
    name: "a blob that can be written",
    do: (host) => moded(largestBlob(host), 0o644),
    kind: "corrupt",
    reason: "mode",
  },
  {
    name: "a blob that is another one",
    do(host) {
      const [path, other] = pathsBelow(host.paths.cache, "file") as [string, string];
      unlinkSync(path);
      linkSync(other, path);
      return path;
    },
    kind: "corrupt",
    reason: "digest",
  },
  {
    name: "a tree's description removed",
    do: (host) => removed(join(tree(host), "tree.json")),
    kind: "missing",
    reason: "absent",
  },
  {
    name: "a tree's description for another platform",
    do: (host) =>
      edited(join(tree(host), "tree.json"), (bytes) => Buffer.from(String(bytes).replace(`"os":"`, `"os":"x`))),
    kind: "corrupt",
    reason: "description",
  },
  {
    name: "a tree's description of the right size full of zeros",
    do: (host) => edited(join(tree(host), "tree.json"), (bytes) => Buffer.alloc(bytes.length)),
    kind: "corrupt",
    reason: "description",
  },
  {
    name: "a lockfile copy removed",
    do: (host) => removed(join(tree(host), "script-packages.lock")),
    kind: "missing",
    reason: "absent",
  },
  {
    name: "a lockfile copy that gives another size",
    do: (host) =>
      edited(join(tree(host), "script-packages.lock"), (bytes) =>
        Buffer.from(String(bytes).replace(/"size":\d/, '"size":9')),
      ),
    kind: "corrupt",
    reason: "lockfile",
  },
  {
    name: "a lockfile copy full of zeros",
    do: (host) => edited(join(tree(host), "script-packages.lock"), (bytes) => Buffer.alloc(bytes.length)),
    kind: "corrupt",
    reason: "lockfile",
  },
  {
    name: "a link of the tree that leads elsewhere",
    do(host) {
      const path = join(tree(host), "node_modules/alpha");
      unlinkSync(path);
      symlinkSync(readlinkSync(join(tree(host), "node_modules/beta2")), path);
      return path;
    },
    kind: "corrupt",
    reason: "target",
    linker: "isolated",
  },
  {
    name: "a link of the tree removed",
    do: (host) => removed(join(tree(host), "node_modules/.bin/alpha")),
    kind: "missing",
    reason: "absent",
  },
  {
    name: "a name more in the tree",
    do(host) {
      const path = join(tree(host), "node_modules/evil");
      mkdirSync(path);
      return path;
    },
    kind: "corrupt",
    reason: "extra",
  },
  {
    name: "a file that only the tree lost",
    do: (host) => removed(join(tree(host), "node_modules/beta/index.js")),
    kind: "missing",
    reason: "absent",
    linker: "hoisted",
  },
  { name: "the whole tree removed", do: (host) => removed(tree(host)), kind: "missing", reason: "absent" },
  { name: "`current` removed", do: (host) => removed(host.paths.current), kind: "missing", reason: "absent" },
  {
    name: "`current` to a hash that never was",
    do(host) {
      const target = readlinkSync(host.paths.current);
      unlinkSync(host.paths.current);
      symlinkSync(
        target.replace(/.$/, (digit) => (digit === "0" ? "1" : "0")),
        host.paths.current,
      );
      return host.paths.current;
    },
    kind: "corrupt",
    reason: "target",
  },
  {
    name: "`current` to somewhere else",
    do(host) {
      unlinkSync(host.paths.current);
      symlinkSync("../elsewhere", host.paths.current);
      return host.paths.current;
    },
    kind: "corrupt",
    reason: "target",
  },
  {
    name: "a folder in place of `current`",
    do(host) {
      unlinkSync(host.paths.current);
      mkdirSync(join(host.paths.current, "node_modules"), { recursive: true });
      return host.paths.current;
    },
    kind: "corrupt",
    reason: "type",
  },
  {
    name: "a lease removed",
    do: (host) => removed(leasePath(host.paths, readCurrent(host.paths) as string)),
    kind: "missing",
    reason: "absent",
  },
  {
    name: "a lease that others cannot take",
    do: (host) => moded(leasePath(host.paths, readCurrent(host.paths) as string), 0o600),
    kind: "corrupt",
    reason: "mode",
  },
];

for (const linker of linkers) {
  for (const damage of damages) {
    if (damage.linker !== undefined && damage.linker !== linker) continue;
    test(`${linker}: ${damage.name}`, async () => {
      const host = hosts.get(linker) as TestHost;
      const { ctx, paths } = host;
      const current = readCurrent(paths);
      const switches = readJournal(paths).entries.length;
      const path = damage.do(host).slice(paths.root.length + 1);
      const found = await verifyHost(ctx, { deep: false });
      expect(found.result).toBe("damaged");
      const at = found.findings.find((finding) => finding.path === path);
      expect(at, JSON.stringify(found.findings)).toMatchObject({ kind: damage.kind, reason: damage.reason });
      const { after, outcome } = await repairHost(ctx, { deep: false, reason: undefined });
      expect(outcome.failed).toEqual([]);
      expect(outcome.restored).not.toEqual([]);
      expect(after.findings).toEqual([]);
      expect((await verifyHost(ctx, { deep: true })).findings).toEqual([]);
      expect(readCurrent(paths)).toBe(current as string);
      expect(hasTree(paths, current as string)).toBe(true);
      // Only what was wrong about `current` is a switch.
      expect(readJournal(paths).entries.length - switches).toBe(basename(path) === "current" ? 1 : 0);
    });
  }
}

function edited(path: string, change: (bytes: Buffer) => Uint8Array): string {
  edit(path, change);
  return path;
}

function truncated(path: string, size: number): string {
  return edited(path, (bytes) => bytes.subarray(0, size));
}

function flipped(path: string, byte: number): string {
  flip(path, byte, 3);
  return path;
}

function removed(path: string): string {
  rmSync(path, { recursive: true });
  return path;
}

function written(path: string, text: string): string {
  writeFileSync(path, text);
  return path;
}

function moded(path: string, mode: number): string {
  chmodSync(path, mode);
  return path;
}
