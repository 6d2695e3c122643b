/** docs/compatibility.md: what it says of each package, and what it should say. */
import { type RealPackage, type RuntimeName, realPackages, runtimes, type Way, ways } from "./list.ts";
import type { Outcome, Outcomes } from "./probe.ts";

export const pagePath = "docs/compatibility.md";

/** What was found of one package: the outcomes by runtime and way. */
export type Found = Record<RuntimeName, Record<Way, Outcomes>>;

/** An outcome in a word, which is what installations are compared by beside what came. */
export function wordOf(outcome: Outcome): string {
  return "came" in outcome ? "yes" : outcome.error;
}

/** `import, require` where both work; `import` alone; else the error of the import. */
function cell(outcomes: Outcomes): string {
  const working = Object.keys(outcomes).filter((how) => wordOf(outcomes[how] as Outcome) === "yes");
  return working.length > 0 ? working.join(", ") : `\`${wordOf(outcomes.import as Outcome)}\``;
}

/** The cells of a package that come from the list alone. */
export function listed({ name, version, kinds }: RealPackage): string[] {
  return [`\`${name}\``, `\`${version}\``, kinds.join(", ")];
}

function table(lines: readonly (readonly string[])[], head: readonly string[]): string {
  const rule = `|${head.map(() => "---").join("|")}|`;
  return [`| ${head.join(" | ")} |`, rule, ...lines.map((cells) => `| ${cells.join(" | ")} |`)].join("\n");
}

/** The table of exceptions, from the list. */
export function exceptionsTable(): string {
  const lines = realPackages.flatMap(({ name, differs }) => (differs === undefined ? [] : [[`\`${name}\``, differs]]));
  return lines.length === 0 ? "None." : table(lines, ["package", "why"]);
}

/** The table of results. */
export function resultsTable(found: ReadonlyMap<string, Found>): string {
  const lines = realPackages.map((each) => {
    const outcomes = found.get(each.name);
    if (outcomes === undefined) throw new Error(`nothing was found of ${each.name}`);
    return [...listed(each), ...runtimes.flatMap((runtime) => ways.map((way) => cell(outcomes[runtime][way])))];
  });
  const columns = runtimes.flatMap((runtime) => ways.map((way) => `${runtime} ${way}`));
  return table(lines, ["package", "version", "kinds", ...columns]);
}

/** The page with the body below one heading of the second level replaced, up to the next. */
export function withSection(page: string, title: string, body: string): string {
  const start = page.indexOf(`\n## ${title}\n`);
  if (start < 0) throw new Error(`${pagePath} has no section ${title}`);
  const end = page.indexOf("\n## ", start + 1);
  return `${page.slice(0, start)}\n## ${title}\n\n${body}\n${end < 0 ? "" : page.slice(end)}`;
}
