/** docs/compatibility.md is about the packages of the list, and names each that differs. The results are test/network's. */
import { expect, test } from "bun:test";
import { realPackages } from "../../network/list.ts";
import { exceptionsTable, listed, pagePath } from "../../network/page.ts";
import { quotedIn, readPage, sectionsOf, tableRows } from "./page.ts";

const sections = sectionsOf(readPage(pagePath));
const results = tableRows(sections.get("Results") ?? "");

/** The cells of one runtime: plain, isolated, hoisted. */
function differs(cells: readonly string[]): boolean {
  return new Set(cells).size > 1;
}

test("the results are those of the list", () => {
  expect(results.map((row) => row.slice(0, 3))).toEqual(realPackages.map(listed));
  expect(results.every((row) => row.length === 9 && row.every((cell) => cell !== ""))).toBe(true);
});

test("each package that does something else than in a plain installation is an exception with a reason", () => {
  const different = results.filter((row) => differs(row.slice(3, 6)) || differs(row.slice(6, 9)));
  const excepted = realPackages.filter((each) => each.differs !== undefined).map(({ name }) => name);
  expect(different.flatMap(([name = ""]) => quotedIn(name)).filter((name) => !excepted.includes(name))).toEqual([]);
  expect((sections.get("Exceptions") ?? "").trim()).toBe(exceptionsTable());
});

test("what fails everywhere is named", () => {
  const failing = results.filter((row) => row.slice(3).some((cell) => cell.startsWith("`")));
  const named = quotedIn(sections.get("What fails everywhere") ?? "");
  expect(failing.flatMap(([name = ""]) => quotedIn(name)).filter((name) => !named.includes(name))).toEqual([]);
});

test("every kind is explained", () => {
  const explained = tableRows(sections.get("How it is tested") ?? "").flatMap(([first = ""]) => first.split(", "));
  const known = (kind: string): boolean =>
    explained.includes(kind) || (kind.startsWith("alias") && explained.includes("alias …"));
  expect([...new Set(realPackages.flatMap(({ kinds }) => kinds))].filter((kind) => !known(kind))).toEqual([]);
});
