/** How a switch to a tree that was here already is told. Imports next to nothing: the quick path prints it, too. */
import type { Move } from "../ops/rollback.ts";

type Bold = (text: string) => string;

/** What a rollback or `use` did, or would do. */
export function moveLines({ from, to, switched, held }: Move, dryRun: boolean, bold: Bold): string[] {
  const short = (hash: string): string => hash.slice(0, 12);
  if (!switched) return [`nothing to do: ${bold(short(to))} is current`];
  const was = from === null ? "nothing" : short(from);
  const lines = [
    dryRun ? `would switch from ${was} to ${bold(short(to))}` : `current is now ${bold(short(to))}, was ${was}`,
  ];
  if (held !== null) {
    const verb = dryRun ? "would hold" : "held:";
    lines.push(`${verb} ${short(held)}, for automatic syncs to skip until another hash appears or \`csp resume\``);
  }
  return lines;
}
