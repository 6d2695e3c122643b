import { expect, test } from "bun:test";
import { readJunit, summarise } from "../../support/junit.ts";

const report = `<testsuites tests="4"><testsuite name="a.test.ts" file="a.test.ts">
  <testsuite name="d"><testcase name="needs &lt;root&gt; &amp; &quot;luck&quot;" classname="d" file="a.test.ts"><skipped /></testcase>
  <testcase name="bad" classname="d" file="a.test.ts">
    <failure message="x > y">text</failure>
  </testcase></testsuite>
  <testcase name="good" classname="" time="0" file="a.test.ts" assertions="0" />
  <testcase name="also" classname="" file="a.test.ts"></testcase>
</testsuite></testsuites>`;

test("reads passed, failed and skipped tests with their groups", () => {
  expect(readJunit(report)).toEqual([
    { file: "a.test.ts", name: 'd > needs <root> & "luck"', outcome: "skipped" },
    { file: "a.test.ts", name: "d > bad", outcome: "failed" },
    { file: "a.test.ts", name: "good", outcome: "passed" },
    { file: "a.test.ts", name: "also", outcome: "passed" },
  ]);
});

test("the last line counts; skipped and failed tests are named", () => {
  const { lines, failed } = summarise(readJunit(report), ["a.test.ts"], 1);
  expect(lines).toContain('  a.test.ts: d > needs <root> & "luck"');
  expect(lines).toContain("  a.test.ts: d > bad");
  expect(lines.at(-1)).toBe("2 passed, 1 failed, 1 skipped");
  expect(failed).toBe(true);
});

test("without skipped tests the line has two numbers", () => {
  const good = readJunit(report).filter((each) => each.outcome === "passed");
  expect(summarise(good, ["a.test.ts"], 0)).toEqual({ lines: ["2 passed, 0 failed"], failed: false });
});

test("a file that did not load, a status without a reason and an empty run are failures", () => {
  const good = readJunit(report).filter((each) => each.outcome === "passed");
  expect(summarise(good, ["a.test.ts", "b.test.ts"], 1).lines.at(-1)).toBe("2 passed, 1 failed");
  expect(summarise(good, ["a.test.ts"], 1).lines.at(-1)).toBe("2 passed, 1 failed");
  expect(summarise([], [], 0)).toEqual({ lines: ["0 passed, 0 failed"], failed: true });
});
