/** Reading the Markdown pages of docs/ for tests that compare them with the code. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

export const root: string = join(import.meta.dir, "..", "..", "..");

/** The text of a page, by its path in the repository. */
export function readPage(path: string): string {
  return readFileSync(join(root, path), "utf8");
}

/** The text below each heading of the second level, by heading without back-quotes. */
export function sectionsOf(page: string): Map<string, string> {
  const parts = page.split(/^## (.+)\n/m);
  const sections = new Map<string, string>();
  for (let i = 1; i < parts.length; i += 2) {
    sections.set((parts[i] as string).replaceAll("`", "").trim(), parts[i + 1] as string);
  }
  return sections;
}

/** The rows of all tables in a text as cells; heads and rules are left out. */
export function tableRows(text: string): string[][] {
  const lines = text.split("\n");
  return lines.flatMap((line, i) => {
    if (!line.startsWith("|") || isRule(line) || isRule(lines[i + 1])) return [];
    return [
      line
        .slice(1, line.lastIndexOf("|"))
        .split("|")
        .map((cell) => cell.trim()),
    ];
  });
}

function isRule(line: string | undefined): boolean {
  return line !== undefined && /^\|[\s|:-]+\|$/.test(line);
}

/** The texts between back-quotes. */
export function quotedIn(text: string): string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map((match) => match[1] as string);
}
