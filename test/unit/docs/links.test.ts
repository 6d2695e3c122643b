/** Every link between the Markdown pages of the repository leads to a file, and to a heading where it names one. */
import { expect, test } from "bun:test";
import { existsSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { readPage, root } from "./page.ts";

const pages = ["README.md", ...new Bun.Glob("docs/**/*.md").scanSync({ cwd: root })].sort();

/** The anchor that a heading gets. */
function anchor(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, "")
    .replaceAll(" ", "-");
}

function anchorsOf(page: string): string[] {
  const text = readPage(page).replace(/^```[\s\S]*?^```/gm, "");
  return [...text.matchAll(/^#{1,6} (.+)$/gm)].map((match) => anchor(match[1] as string));
}

function problem(page: string, link: string): string | undefined {
  const [path = "", fragment] = link.split("#");
  const target = path === "" ? page : relative(root, join(root, dirname(page), path));
  if (!existsSync(join(root, target))) return `${page}: ${link} leads nowhere`;
  if (fragment === undefined || statSync(join(root, target)).isDirectory()) return undefined;
  return anchorsOf(target).includes(fragment) ? undefined : `${page}: ${link} has no such heading`;
}

test("links lead somewhere", () => {
  const problems = pages.flatMap((page) => {
    const links = [...readPage(page).matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1] as string);
    return links.filter((link) => !/^[a-z]+:/.test(link)).flatMap((link) => problem(page, link) ?? []);
  });
  expect(pages).toContain("docs/guide.md");
  expect(problems).toEqual([]);
});

test("the index lists every page of docs", () => {
  const index = readPage("docs/README.md");
  const listed = [...index.matchAll(/\]\(([^)#\s]+)/g)].map((match) => match[1] as string);
  expect(pages.filter((page) => page.startsWith("docs/") && page !== "docs/README.md")).toEqual(
    listed.map((path) => `docs/${path}`).sort(),
  );
});
