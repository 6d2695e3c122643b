/** The numbers of a test run, from the JUnit report that bun writes. */

export interface TestResult {
  file: string;
  name: string;
  outcome: "passed" | "failed" | "skipped";
}

/** Reads every test case of a report. */
export function readJunit(xml: string): TestResult[] {
  const results: TestResult[] = [];
  for (const [, attributes = "", body = ""] of xml.matchAll(/<testcase\b([^>]*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g)) {
    const read = (name: string) => unescapeXml(new RegExp(`\\b${name}="([^"]*)"`).exec(attributes)?.[1] ?? "");
    const group = read("classname");
    const outcome = /<(?:failure|error)\b/.test(body) ? "failed" : body.includes("<skipped") ? "skipped" : "passed";
    results.push({ file: read("file"), name: group ? `${group} > ${read("name")}` : read("name"), outcome });
  }
  return results;
}

/**
 * The lines to print, the plain line last. A file that left no result, and an exit status that no failed test explains,
 * count as one failure each: bun leaves files that do not load out of its report.
 */
export function summarise(
  results: readonly TestResult[],
  files: readonly string[],
  status: number,
): { lines: string[]; failed: boolean } {
  const of = (outcome: TestResult["outcome"]) => results.filter((each) => each.outcome === outcome);
  const silent = files.filter((file) => !results.some((each) => each.file.replace(/^\.\//, "") === file));
  const failures = [
    ...of("failed").map((each) => `${each.file}: ${each.name}`),
    ...silent.map((file) => `${file}: no test of this file ran`),
  ];
  if (status !== 0 && failures.length === 0) failures.push(`the test runner ended with ${status}`);
  const skipped = of("skipped").map((each) => `${each.file}: ${each.name}`);
  const passed = of("passed").length;
  const lines = [...section("Failed:", failures), ...section("Skipped:", skipped)];
  lines.push(`${passed} passed, ${failures.length} failed${skipped.length > 0 ? `, ${skipped.length} skipped` : ""}`);
  return { lines, failed: failures.length > 0 || passed === 0 };
}

function section(title: string, items: readonly string[]): string[] {
  return items.length === 0 ? [] : [title, ...items.map((item) => `  ${item}`), ""];
}

function unescapeXml(text: string): string {
  const entities: Record<string, string> = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" };
  return text.replace(/&(?:#(\d+)|(\w+));/g, (whole, code, name) =>
    code === undefined ? (entities[name] ?? whole) : String.fromCodePoint(Number(code)),
  );
}
