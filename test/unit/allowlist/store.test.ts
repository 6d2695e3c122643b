import { describe, expect, test } from "bun:test";
import { parseAllowlist } from "../../../src/core/allowlist.ts";
import { withStore } from "../../../src/core/allowlist-store.ts";

const next = "s3://bucket/new";

describe("naming another store", () => {
  test.each([
    [
      "in place",
      "packages: {}\nstore: file:/srv/old # ours\nlinker: hoisted\n",
      `packages: {}\nstore: ${next} # ours\nlinker: hoisted\n`,
    ],
    ["in quotes", 'store: "file:/srv/old"\n', `store: ${next}\n`],
    ["a flow list", "store: [file:/a, file:/b]\npackages: {}\n", `store: ${next}\npackages: {}\n`],
    ["a block list", "store:\n  - file:/a\n  - file:/b\npackages: {}\n", `store: ${next}\npackages: {}\n`],
    ["none before", "# why\npackages: {}\n", `# why\npackages: {}\nstore: ${next}\n`],
    ["an empty file", "", `store: ${next}\n`],
    ["already there", `store:   ${next}   # same\n`, `store:   ${next}   # same\n`],
  ])("%s", (_, before, after) => {
    expect(withStore(before, next)).toBe(after);
    expect(parseAllowlist(after, "script-packages.yaml").stores).toEqual([next]);
  });
});
