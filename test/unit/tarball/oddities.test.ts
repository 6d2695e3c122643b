/** Odd but legitimate archives unpack to exactly their files, in the usual call and as a stream. */
import { afterAll, expect, test } from "bun:test";
import * as fs from "node:fs";
import { createBox } from "../../support/unpack-box.ts";
import { oddities } from "./oddities.ts";

const box = createBox();
afterAll(() => box[Symbol.dispose]());

const runs = oddities.flatMap((oddity) => [
  { title: oddity.name, oddity, limits: {} },
  { title: `${oddity.name} as a stream`, oddity, limits: { wholeBytes: 0 } },
]);

test.each(runs)("$title", async ({ oddity, limits }) => {
  const attempt = await box.unpack(oddity.bytes, { name: oddity.name, version: "1.0.0" }, limits);
  expect(attempt.message).toBe("");
  const { "package.json": manifest = "", ...files } = attempt.files;
  expect(files).toEqual(oddity.files);
  expect(JSON.parse(manifest)).toMatchObject({ name: oddity.name });
  expect(attempt.changed).toEqual([]);
  const { result } = attempt;
  expect(result?.files).toBe(Object.keys(attempt.files).length);
  expect(result?.bytes).toBe(Object.values(attempt.files).reduce((sum, text) => sum + text.length, 0));
  expect(result?.skippedLinks).toEqual(oddity.links ?? []);
  if (oddity.notes === undefined) expect(result?.notes).toEqual([]);
  else expect(result?.notes.join("\n")).toMatch(oddity.notes);
  for (const path of Object.keys(attempt.files)) {
    const mode = fs.statSync(`${box.root}/a/b/c/destination/${path}`).mode & 0o7777;
    expect([path, mode]).toEqual([path, oddity.executables?.includes(path) ? 0o555 : 0o444]);
  }
});
