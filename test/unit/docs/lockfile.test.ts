/** The lockfile that docs/reference/lockfile.md shows is one that csp writes, and its hash is the one of the examples. */
import { expect, test } from "bun:test";
import { parseLockfile } from "../../../src/core/lockfile.ts";
import { lockfileHash } from "../../../src/core/lockfile-hash.ts";
import { formatLockfile } from "../../../src/core/lockfile-text.ts";
import { readPage } from "./page.ts";

const shown = /```json\n([\s\S]*?)```/.exec(readPage("docs/reference/lockfile.md"))?.[1] ?? "";

test("the example is a lockfile in csp's own layout", () => {
  expect(formatLockfile(parseLockfile(shown, "the example"))).toBe(shown);
});

test("README and guide show its hash", () => {
  const hash = lockfileHash(parseLockfile(shown, "the example")).slice(0, 12);
  for (const page of ["README.md", "docs/guide.md"])
    expect(readPage(page)).toContain(`current is now ${hash}: 3 packages`);
});
