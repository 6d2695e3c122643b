/** Archives that must be refused whole: the rule is named and nothing is left behind, inside or outside. */
import { afterAll, expect, test } from "bun:test";
import type { TarRule } from "../../../src/core/tar-rules.ts";
import { defaultUnpackLimits } from "../../../src/tree/unpack.ts";
import {
  demo,
  gnuLong,
  manifest,
  pax,
  paxRecord,
  type TarPart,
  tar,
  tarEntry,
  tgz,
} from "../../support/tar-builder.ts";
import { createBox } from "../../support/unpack-box.ts";

const box = createBox();
afterAll(() => box[Symbol.dispose]());

const file = (name: string | Uint8Array, body = "evil"): TarPart => ({ name, body });
const symlink = (name: string, link: string): TarPart => ({ name, type: "2", link });
const hardlink = (name: string, link: string): TarPart => ({ name, type: "1", link });
const paxFile = (path: string | Uint8Array): TarPart[] => [pax({ path }), file("package/harmless")];
const sizeField = (text: string): Record<number, string> => ({ 124: text });

const cases: [title: string, rule: TarRule, parts: TarPart[]][] = [
  ["a name that climbs out", "traversal", [file("package/../../x")]],
  ["a first segment that climbs out", "traversal", [file("../x")]],
  ["a name that climbs and comes back", "traversal", [file("package/a/../b")]],
  ["a name that ends in ..", "traversal", [{ name: "package/a/..", type: "5" }]],
  ["an absolute name", "absolute", [file("/package/x")]],
  ["an absolute name with two slashes", "absolute", [file("//package/x")]],
  ["a relative symbolic link out of the package", "link-escape", [symlink("package/l", "../../x")]],
  ["a symbolic link to the top directory's parent", "link-escape", [symlink("package/a/l", "../..")]],
  ["a symbolic link that goes in and then out", "link-escape", [symlink("package/l", "a/../../b")]],
  ["an absolute symbolic link", "link-escape", [symlink("package/l", "/etc/passwd")]],
  ["a symbolic link with backslashes", "link-escape", [symlink("package/l", "..\\..\\x")]],
  ["a file through an earlier symbolic link", "through-link", [symlink("package/l", "canary"), file("package/l/x")]],
  [
    "a file through a link in other letters",
    "through-link",
    [symlink("package/Link", "canary"), file("package/link/x")],
  ],
  [
    "a file through a link in composed letters",
    "through-link",
    [symlink("package/caf\u00e9", "c"), file("package/cafe\u0301/x")],
  ],
  [
    "a directory in place of an earlier link",
    "through-link",
    [symlink("package/l", "c"), { name: "package/l/", type: "5" }],
  ],
  [
    "a link in place of a directory",
    "file-and-directory",
    [file("package/l/a"), symlink("package/l", "c"), file("package/l/x")],
  ],
  ["a top directory that is a link", "link-escape", [symlink("package", "canary"), file("package/x")]],
  ["a top directory that is a link, with a slash", "link-escape", [symlink("package/", "canary")]],
  ["a hard link out of the package", "link-escape", [hardlink("package/l", "../canary/x")]],
  ["an absolute hard link", "link-escape", [hardlink("package/l", "/etc/passwd")]],
  [
    "a hard link through a symbolic link",
    "through-link",
    [symlink("package/s", "a"), hardlink("package/l", "package/s/x")],
  ],
  [
    "a hard link that is inside only as seen from its own directory",
    "link-escape",
    [hardlink("package/a/b/l", "../../x")],
  ],
  ["a hard link with content", "entry-size", [{ name: "package/l", type: "1", link: "package/a", body: "evil" }]],
  ["a drive letter", "drive", [file("C:x")]],
  ["a drive letter and a climb", "drive", [file("C:../x")]],
  ["a drive letter after the top directory", "drive", [file("package/C:x")]],
  ["a backslash", "backslash", [file("package/..\\x")]],
  ["a NUL byte in a name", "nul", [file(Buffer.from("package/x\0y"))]],
  ["a NUL byte in an extended name", "nul", paxFile("package/x\0y")],
  ["a newline", "control-character", [file("package/x\ny")]],
  ["an escape sequence", "control-character", [file("package/\x1b[31mx")]],
  ["a C1 control character", "control-character", [file("package/\x9bx")]],
  ["invalid UTF-8", "utf8", [file(Buffer.from("package/\xff\xfe", "latin1"))]],
  ["overlong UTF-8 of a slash", "utf8", [file(Buffer.from("package/..\xc0\xafx", "latin1"))]],
  ["a surrogate in UTF-8", "utf8", [file(Buffer.from("package/\xed\xa0\x80", "latin1"))]],
  ["invalid UTF-8 in an extended name", "utf8", paxFile(Buffer.from("package/\xff", "latin1"))],
  ["a part of 256 bytes", "name-length", paxFile(`package/${"x".repeat(256)}`)],
  ["a part of 256 bytes in two-byte letters", "name-length", paxFile(`package/${"é".repeat(128)}`)],
  ["a path of over 4096 bytes", "name-length", paxFile(`package/${`${"y".repeat(200)}/`.repeat(21)}x`)],
  ["65 directories", "depth", paxFile(`package/${"d/".repeat(65)}x`)],
  ["a file and then a directory of one name", "file-and-directory", [file("package/a"), file("package/a/b")]],
  [
    "a file and then a directory entry of one name",
    "file-and-directory",
    [file("package/a"), { name: "package/a/", type: "5" }],
  ],
  ["a directory and then a file of one name", "file-and-directory", [file("package/a/b"), file("package/a")]],
  ["names that differ in case", "collision", [file("package/readme"), file("package/README")]],
  ["directories that differ in case", "collision", [file("package/Lib/a"), file("package/lib/b")]],
  ["a file and a directory that differ in case", "file-and-directory", [file("package/Lib"), file("package/lib/b")]],
  ["composed and decomposed accents", "collision", [file("package/caf\u00e9"), file("package/cafe\u0301")]],
  ["ß and ss", "collision", [file("package/stra\u00dfe"), file("package/strasse")]],
  ["ß and SS", "collision", [file("package/stra\u00dfe"), file("package/STRASSE")]],
  ["capital and small sharp s", "collision", [file("package/\u1e9e"), file("package/\u00df")]],
  ["final and other sigma", "collision", [file("package/\u03c2"), file("package/\u03c3")]],
  ["accents in another order", "collision", [file("package/\u1fb4"), file("package/\u03b1\u0345\u0301")]],
  ["an extended name that climbs out", "traversal", paxFile("package/../../x")],
  ["an extended name that is absolute", "absolute", paxFile("/x")],
  ["an old extended header that climbs out", "traversal", [pax({ path: "../x" }, "X"), file("package/harmless")]],
  ["an extended size that hides entries", "pax-size", [pax({ size: "2048" }), file("package/a", "x".repeat(512))]],
  ["an extended size against a size of zero", "pax-size", [pax({ size: "512" }), file("package/a", "")]],
  ["an extended size that is no number", "number", [pax({ size: "-1" }), file("package/a")]],
  [
    "an extended header with a length past its end",
    "pax",
    [pax(Buffer.from("99 path=package/x\n")), file("package/a")],
  ],
  ["an extended header with a short length", "pax", [pax(Buffer.from("9 path=package/x\n")), file("package/a")]],
  ["an extended header without a newline", "pax", [pax(Buffer.from("9 path=ab")), file("package/a")]],
  ["an extended header without a length", "pax", [pax(Buffer.from("path=package/x\n")), file("package/a")]],
  ["an extended header with a length of zero", "pax", [pax(Buffer.from("0 path=x\n")), file("package/a")]],
  ["an extended header with a huge length", "pax", [pax(Buffer.from("999999999999 path=x\n")), file("package/a")]],
  ["an extended header without a value", "pax", [pax(Buffer.from("6 path\n")), file("package/a")]],
  [
    "an extended header with bytes behind it",
    "pax",
    [pax(Buffer.concat([paxRecord("a", "b"), Buffer.from("\0")])), file("package/a")],
  ],
  ["a global extended name", "pax-global", [pax({ path: "package/x" }, "g"), file("package/a")]],
  ["a global extended size", "pax-global", [pax({ size: "512" }, "g"), file("package/a")]],
  ["a global extended link target", "pax-global", [pax({ linkpath: "x" }, "g"), file("package/a")]],
  [
    "a GNU long name that climbs out",
    "traversal",
    [gnuLong("L", `package/../../${"x".repeat(120)}`), file("package/a")],
  ],
  [
    "a GNU long link target that climbs out",
    "link-escape",
    [gnuLong("K", `${"../".repeat(50)}x`), symlink("package/l", "a")],
  ],
  ["a GNU long name that is empty", "name-missing", [gnuLong("L", ""), file("package/a")]],
  [
    "two extended names for one entry",
    "conflicting-names",
    [gnuLong("L", "package/one"), pax({ path: "package/two" }), file("package/a")],
  ],
  ["an entry without a name", "name-missing", [file("")]],
  ["a GNU sparse file", "sparse", [{ name: "package/a", type: "S", format: "gnu", body: "x" }]],
  ["an extended sparse file", "sparse", [pax({ "GNU.sparse.major": "1" }), file("package/a")]],
  ["a negative size", "number", [{ name: "package/a", patch: { 124: Buffer.alloc(12, 0xff) } }]],
  ["a size with a sign", "number", [{ name: "package/a", patch: sizeField("-0000000001\0") }]],
  ["a size with other digits", "number", [{ name: "package/a", patch: sizeField("00000000009\0") }]],
  [
    "a huge base-256 size",
    "number",
    [{ name: "package/a", patch: { 124: Buffer.from("80ffffffffffffffffffffff", "hex") } }],
  ],
  [
    "a base-256 size over the limit",
    "unpacked-size",
    [{ name: "package/a", patch: { 124: Buffer.from("800000000000000100000000", "hex") } }],
  ],
  ["a size over the limit", "unpacked-size", [{ name: "package/a", size: 0o77777777777 }]],
  ["a directory by its name, with content", "entry-size", [{ name: "package/a/", body: "evil" }]],
  ["a wrong header checksum", "checksum", [{ name: "package/a", body: "x", checksumError: 1 }, file("package/b")]],
  ["a header of noise", "checksum", [Buffer.alloc(512, 0xaa)]],
  ["a named pipe", "entry-type", [{ name: "package/a", type: "6" }]],
  ["a character device", "entry-type", [{ name: "package/a", type: "3" }]],
  ["a block device", "entry-type", [{ name: "package/a", type: "4" }]],
  ["a continued file of a multi-volume archive", "entry-type", [{ name: "package/a", type: "M" }]],
  ["an unknown type", "entry-type", [{ name: "package/a", type: "\xfe" }]],
  ["data after the end", "data-after-end", [Buffer.alloc(1024), file("package/a")]],
  ["data after a single closing block", "data-after-end", [Buffer.alloc(512), file("package/a")]],
  ["a second, different package.json", "manifest-twice", [manifest({ bin: "evil.js" })]],
  [
    "a second, different package.json as ./package",
    "manifest-twice",
    [{ ...manifest({ bin: "evil.js" }), name: "./package/package.json" }],
  ],
  ["an extended header that is larger than any", "metadata-size", [{ name: "x", type: "x", size: 2 ** 21 }]],
];

test.each(cases)("%s", async (_title, rule, parts) => {
  const attempt = await box.unpack(demo(...parts));
  expect([attempt.rule, attempt.message]).toEqual([rule, attempt.message]);
  expect(attempt.message).toStartWith("the archive of `demo@1.0.0` is refused: ");
  expect(attempt.message).not.toMatch(/[\x00-\x1f\x7f-\x9f]/);
  expect(attempt.exists).toBe(false);
  expect(attempt.changed).toEqual([]);
});

const whole: [title: string, rule: TarRule, bytes: Uint8Array][] = [
  ["an archive without entries", "empty", tgz([])],
  ["an archive of no bytes at all", "empty", tgz([], { end: false })],
  ["an archive without a package.json", "manifest-missing", tgz([file("package/index.js")])],
  ["an archive with its package.json one level too deep", "manifest-missing", tgz([file("package/lib/package.json")])],
  ["an archive whose files have no top directory", "manifest-missing", tgz([{ ...manifest(), name: "package.json" }])],
  ["an archive that is only links", "manifest-missing", tgz([symlink("package/package.json", "a")])],
  [
    "a file that is cut",
    "truncated",
    tgz([manifest(), tar([file("package/a", "x".repeat(2000))]).subarray(0, 1500)], { end: false }),
  ],
  [
    "a header that is cut",
    "truncated",
    tgz([manifest(), tarEntry({ name: "package/a" }).subarray(0, 200)], { end: false }),
  ],
  ["an extended header without its entry", "truncated", tgz([manifest(), pax({ path: "package/a" })])],
];

test.each(whole)("%s", async (_title, rule, bytes) => {
  const attempt = await box.unpack(bytes);
  expect([attempt.rule, attempt.message]).toEqual([rule, attempt.message]);
  expect(attempt.exists).toBe(false);
  expect(attempt.changed).toEqual([]);
});

test("more entries than the limit, with the default limit far above 20,000", async () => {
  const parts = Array.from({ length: 50 }, (_, i) => file(`package/f${i}`, ""));
  expect((await box.unpack(demo(...parts), undefined, { entries: 50 })).rule).toBe("entry-count");
  expect((await box.unpack(demo(...parts), undefined, { entries: 51 })).result?.files).toBe(51);
  expect(defaultUnpackLimits.entries).toBe(200_000);
});

test("more directories than the limit, asked for by the names of few files", async () => {
  const deep = Array.from({ length: 5 }, (_, i) => file(`package/${`${i}/`.repeat(30)}x`));
  expect((await box.unpack(demo(...deep), undefined, { entries: 149 })).rule).toBe("entry-count");
  expect((await box.unpack(demo(...deep), undefined, { entries: 150 })).result?.directories).toBe(150);
});

test("content that together passes the limit", async () => {
  const parts = [file("package/a", "x".repeat(600)), file("package/b", "x".repeat(600))];
  expect((await box.unpack(demo(...parts), undefined, { unpackedBytes: 4000, wholeBytes: 1 })).rule).toBe(
    "unpacked-size",
  );
});

test("the message names the entry with its control characters escaped", async () => {
  const attempt = await box.unpack(demo(file("package/\x1b[2Jx\u202e`")));
  expect(attempt.message).toBe(
    "the archive of `demo@1.0.0` is refused: `package/\\x1b[2Jx\\u202e\\x60` has a control character in its name",
  );
  expect(attempt.error).toMatchObject({
    code: "CSP_TARBALL_INVALID",
    exit: 4,
    data: { rule: "control-character", package: "demo@1.0.0", entry: "package/\\x1b[2Jx\\u202e\\x60" },
  });
});
