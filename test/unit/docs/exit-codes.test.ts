/**
 * docs/reference/exit-codes.md says of every code what src/core/codes.ts says.
 * `CSP_TEST_UPDATE=1 bun test test/unit/docs` writes its tables anew.
 */
import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { codes } from "../../../src/core/codes.ts";
import { quotedIn, readPage, root, sectionsOf, tableRows } from "./page.ts";

const path = "docs/reference/exit-codes.md";
const page = readPage(path);

/** The exit status that a heading of the second level is about; warnings end nothing, which is 0. */
function statusOf(title: string): number | undefined {
  return title === "Warnings" ? 0 : Number(/^Exit (\d+):/.exec(title)?.[1] ?? Number.NaN);
}

function tableOf(status: number): string {
  const rows = Object.entries(codes).filter(([, { exit }]) => exit === status);
  return ["| code | meaning |", "|---|---|", ...rows.map(([code, { meaning }]) => `| \`${code}\` | ${meaning} |`)].join(
    "\n",
  );
}

/** The page with the table below each such heading made from the code. */
function rewritten(): string {
  return page.replace(/^## (.+)\n\n\|[\s\S]*?\n(?!\|)/gm, (whole: string, title: string) => {
    const status = statusOf(title);
    return status === undefined || Number.isNaN(status) ? whole : `## ${title}\n\n${tableOf(status)}\n`;
  });
}

test("the tables of codes are those of the code", () => {
  const next = rewritten();
  if (process.env.CSP_TEST_UPDATE) writeFileSync(join(root, path), next);
  else expect(page).toBe(next);
});

test("each exit status has a table, and the summary lists it", () => {
  const sections = sectionsOf(page);
  const statuses = [...new Set(Object.values(codes).map(({ exit }) => exit))].sort((a, b) => a - b);
  const tables = [...sections.keys()].map(statusOf).filter((status) => Number.isInteger(status));
  expect(tables.sort((a = 0, b = 0) => a - b)).toEqual(statuses);
  const listed = tableRows(sections.get("Summary") ?? "").flatMap(([first = ""]) => quotedIn(first));
  expect(statuses.filter((status) => !listed.includes(String(status)))).toEqual([]);
});
