import { afterEach, beforeEach, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { mayCollect } from "../../../src/ops/may-collect.ts";
import { makeTemp, removeTree } from "../../support/temp.ts";

let directory: string;
beforeEach(() => {
  directory = makeTemp();
});
afterEach(() => removeTree(directory));

function ask(text: string | undefined): boolean {
  const allowlist = join(directory, "script-packages.yaml");
  if (text !== undefined) writeFileSync(allowlist, text);
  return mayCollect({ directory, allowlist, lockfile: join(directory, "script-packages.lock") });
}

test.each([
  "gc: { auto: true }",
  "gc: {auto: true}",
  "gc: { keepPrevious: 1,auto : true }",
  "gc:\n  auto: true\n",
  "gc:\r\n  auto:   true # every time\r\n",
  'gc: { "auto": true }',
  "gc: { 'auto': true }",
  "gc:\n  auto: # every time\n    True\n",
])("an allowlist that asks for collecting is read further: %j", (text) => {
  expect(ask(text)).toBe(true);
});

test.each([
  undefined,
  "",
  "packages:\n  autoprefixer: 10.4.0\n",
  "packages:\n  '@acme/auto-x': 1.0.0\n",
  "packages:\n  lodash: { version: 4.17.21, reason: auto }\n",
])("one that does not is not: %j", (text) => {
  expect(ask(text)).toBe(false);
});
