/** docs/reference/configuration.md names every variable of csp's own, and every place in the data directory. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { hostPaths } from "../../../src/tree/layout.ts";
import { readPage, root } from "./page.ts";

const page = readPage("docs/reference/configuration.md");

test("all variables that the code reads are explained", () => {
  const sources = [...new Bun.Glob("{src,bin}/**/*").scanSync({ cwd: root })].sort();
  const read = sources.flatMap((path) => {
    const text = readFileSync(join(root, path), "utf8");
    return [...text.matchAll(/(?:env\.|\$\{?)((?:CSP|CHECKSTACK)_[A-Z_]*[A-Z])\b/g)].map((match) => match[1] as string);
  });
  expect(read).toContain("CHECKSTACK_DATA_DIR");
  expect(read).toContain("CSP_BUN");
  expect([...new Set(read)].filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
});

test("all folders and files of a data directory are listed", () => {
  const { root: top, ...paths } = hostPaths("/data/script-packages");
  const names = new Set(Object.values(paths).map((path) => path.slice(top.length + 1).split("/")[0] as string));
  const listing = /```\n<data dir>\/script-packages\/\n([\s\S]*?)```/.exec(page)?.[1] ?? "";
  expect([...names].filter((name) => !new RegExp(`(?:^|\\s)${RegExp.escape(name)}\\b`).test(listing))).toEqual([]);
});
