/** Odd archives that real packages have and every installer must unpack, with what they unpack to. */
import { gzipSync } from "node:zlib";
import { gnuLong, pax, type TarEntry, type TarPart, tar, tgz } from "../../support/tar-builder.ts";

export interface Oddity {
  /** More keys of its package.json. */
  json?: Record<string, unknown>;
  /** Also the name of the package, so that one install can hold them all. */
  name: string;
  bytes: Uint8Array;
  /** Path to content, without package.json. */
  files: Record<string, string>;
  executables?: string[];
  links?: string[];
  notes?: RegExp;
  /** Why a peer is known to unpack something else. */
  differs?: Partial<Record<"bun" | "npm", string>>;
}

type Build = (manifest: TarEntry) => Uint8Array;

function odd(name: string, files: Oddity["files"], build: Build, more: Partial<Oddity> = {}): Oddity {
  const body = JSON.stringify({ name, version: "1.0.0", ...more.json });
  return { name, files, bytes: build({ name: "package/package.json", body }), ...more };
}

/** The usual case: package.json, then these parts. */
const after =
  (...parts: TarPart[]): Build =>
  (manifest) =>
    tgz([manifest, ...parts]);

const index: TarEntry = { name: "package/index.js", body: "1" };
const long = `${"long-directory-name/".repeat(8)}file-with-a-long-name.js`;

export const oddities: Oddity[] = [
  odd("odd-plain", { "index.js": "1", "lib/a.js": "a" }, after(index, { name: "package/lib/a.js", body: "a" })),
  odd("odd-directories", { "lib/a.js": "a" }, (manifest) =>
    tgz([
      { name: "package/", type: "5" },
      manifest,
      { name: "package/lib/", type: "5", mode: 0o644 },
      { name: "package/lib/a.js", body: "a" },
      { name: "package/empty", type: "5", mode: 0 },
    ]),
  ),
  odd(
    "odd-directory-by-name",
    { "lib/a.js": "a" },
    after({ name: "package/lib/", format: "v7", type: "\0" }, { name: "package/lib/a.js", body: "a" }),
  ),
  odd(
    "odd-directory-size",
    { "lib/a.js": "a" },
    after({ name: "package/lib/", type: "5", size: 4096 }, { name: "package/lib/a.js", body: "a" }),
  ),
  odd("odd-top", { "index.js": "1" }, (manifest) =>
    tgz([
      { ...manifest, name: "some-name-1.0.0/package.json" },
      { name: "some-name-1.0.0/index.js", body: "1" },
    ]),
  ),
  odd(
    "odd-dot-top",
    { "index.js": "1" },
    (manifest) =>
      tgz([
        { ...manifest, name: "./package/package.json" },
        { name: "./package/index.js", body: "1" },
      ]),
    { differs: { bun: "takes `.` for the top directory", npm: "takes `.` for the top directory" } },
  ),
  odd(
    "odd-slashes",
    { "lib/a.js": "a", "lib/b.js": "b" },
    after({ name: "package//lib///a.js", body: "a" }, { name: "package/./lib/./b.js", body: "b" }),
  ),
  odd("odd-two-tops", { "index.js": "1", "other.js": "2" }, after(index, { name: "second/other.js", body: "2" }), {
    notes: /2 top directories, which are merged: `package`, `second`/,
  }),
  odd("odd-beside", { "index.js": "1" }, after(index, { name: "stray.txt", body: "x" }), {
    notes: /beside the top directory are left out: `stray.txt`/,
  }),
  odd(
    "odd-duplicate",
    { "index.js": "last" },
    after({ ...index, body: "the first one" }, index, { ...index, body: "last" }),
  ),
  odd("odd-manifest-again", { "index.js": "1" }, (manifest) => tgz([manifest, index, manifest])),
  odd("odd-old-type", { "index.js": "1" }, after({ ...index, format: "v7", type: "\0" })),
  odd("odd-contiguous", { "index.js": "1" }, after({ ...index, type: "7" })),
  odd("odd-gnu", { "index.js": "1" }, after({ ...index, format: "gnu" })),
  odd(
    "odd-gnu-times",
    { "index.js": "1" },
    after({ ...index, format: "gnu", patch: { 345: "14000000000\x0014000000000\0" } }),
  ),
  odd(
    "odd-base-256",
    { "index.js": "1" },
    after({ ...index, patch: { 124: Buffer.from("800000000000000000000001", "hex") } }),
  ),
  odd("odd-spaced-numbers", { "index.js": "1" }, after({ ...index, patch: { 100: "000644 \0", 124: "          1 " } })),
  odd("odd-unsized", { "empty.js": "" }, after({ name: "package/empty.js", patch: { 124: Buffer.alloc(12) } })),
  odd(
    "odd-prefix",
    { [long]: "x" },
    after({ name: long.slice(100), prefix: `package/${long.slice(0, 99)}`, body: "x" }),
  ),
  odd(
    "odd-gnu-long",
    { [long]: "x" },
    after(gnuLong("L", `package/${long}`), { name: "package/cut", format: "gnu", body: "x" }),
  ),
  odd(
    "odd-pax-long",
    { [long]: "x", "next.js": "y" },
    after(
      pax({ path: `package/${long}`, mtime: "1.5", size: "1" }),
      { name: "package/cut", body: "x" },
      { name: "package/next.js", body: "y" },
    ),
  ),
  odd("odd-pax-old", { [long]: "x" }, after(pax({ path: `package/${long}` }, "X"), { name: "package/cut", body: "x" })),
  odd("odd-pax-global", { "index.js": "1" }, (manifest) =>
    tgz([pax({ comment: "0123456789abcdef" }, "g"), manifest, index]),
  ),
  odd(
    "odd-unicode",
    { "naïve/日本語.js": "x", "emoji-🎉": "y" },
    after({ name: "package/naïve/日本語.js", body: "x" }, pax({ path: "package/emoji-🎉" }), {
      name: "package/e",
      body: "y",
    }),
  ),
  odd(
    "odd-names",
    { "a b": "1", "cc:d": "2", "...": "3", "~": "4", "-x": "5", "%2e%2e": "6", "..a": "7", "a'\"$`": "8" },
    after(
      ...["a b", "cc:d", "...", "~", "-x", "%2e%2e", "..a", "a'\"$`"].map((name, i) => ({
        name: `package/${name}`,
        body: `${i + 1}`,
      })),
    ),
  ),
  odd(
    "odd-links",
    { "index.js": "1" },
    after(
      index,
      { name: "package/link.js", type: "2", link: "index.js" },
      { name: "package/lib/up.js", type: "2", link: "../index.js" },
      { name: "package/hard.js", type: "1", link: "package/index.js" },
      { name: "package/gone.js", type: "2", link: "not-there" },
    ),
    { links: ["link.js", "lib/up.js", "hard.js", "gone.js"] },
  ),
  odd(
    "odd-link-then-file",
    { "a.js": "real" },
    after({ name: "package/a.js", type: "2", link: "b.js" }, { name: "package/a.js", body: "real" }),
    { links: ["a.js"] },
  ),
  odd(
    "odd-modes",
    { a: "1", b: "2", c: "3", d: "4", e: "5", f: "6" },
    after(
      ...([0o640, 0o600, 0, 0o777, 0o6755, 0o1744].map((mode, i) => ({
        name: `package/${"abcdef"[i]}`,
        body: `${i + 1}`,
        mode,
      })) as TarEntry[]),
    ),
    { executables: ["d", "e", "f"] },
  ),
  odd(
    "odd-bin",
    { "cli.js": "#!", "lib/cli.js": "#!" },
    after({ name: "package/cli.js", body: "#!" }, { name: "package/lib/cli.js", body: "#!" }),
    {
      json: { bin: { one: "./cli.js", two: "lib/../lib/cli.js", gone: "missing.js" } },
      executables: ["cli.js", "lib/cli.js"],
    },
  ),
  odd(
    "odd-bundled",
    { "node_modules/dep/package.json": "{}", "node_modules/dep/cli.js": "#!", "node_modules/.bin/dep": "#!/bin/sh" },
    after(
      { name: "package/node_modules/dep/package.json", body: "{}" },
      { name: "package/node_modules/dep/cli.js", body: "#!", mode: 0o755 },
      { name: "package/node_modules/.bin/dep", body: "#!/bin/sh", mode: 0o755 },
    ),
    {
      json: { dependencies: { dep: "1.0.0" }, bundleDependencies: ["dep"] },
      executables: ["node_modules/dep/cli.js", "node_modules/.bin/dep"],
    },
  ),
  odd(
    "odd-dotfiles",
    { ".npmrc": "registry=x", "bunfig.toml": "x", ".env": "A=1", ".gitignore": "x", "._index.js": "x" },
    after(
      { name: "package/.npmrc", body: "registry=x" },
      { name: "package/bunfig.toml", body: "x" },
      { name: "package/.env", body: "A=1" },
      { name: "package/.gitignore", body: "x" },
      { name: "package/._index.js", body: "x" },
    ),
  ),
  odd("odd-unclosed", { "index.js": "1" }, (manifest) => tgz([manifest, index], { end: false }), {
    notes: /lacks its closing blocks/,
  }),
  odd("odd-half-closed", { "index.js": "1" }, (manifest) => tgz([manifest, index, Buffer.alloc(512)], { end: false })),
  odd("odd-padded", { "index.js": "1" }, (manifest) => tgz([manifest, index, Buffer.alloc(10_240)])),
  odd("odd-members", { "index.js": "1" }, (manifest) => {
    const bytes = tar([manifest, index]);
    return Buffer.concat([gzipSync(bytes.subarray(0, 700)), gzipSync(bytes.subarray(700))]);
  }),
  odd("odd-gzip-padded", { "index.js": "1" }, (manifest) => Buffer.concat([tgz([manifest, index]), Buffer.alloc(777)])),
  odd(
    "odd-blocks",
    { "a.bin": "x".repeat(512), "b.bin": "y".repeat(1024), "c.bin": "z".repeat(513) },
    after(
      { name: "package/a.bin", body: "x".repeat(512) },
      { name: "package/b.bin", body: "y".repeat(1024) },
      { name: "package/c.bin", body: "z".repeat(513) },
    ),
  ),
];
