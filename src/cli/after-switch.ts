/** What a switch brings with it where the allowlist asks for it: collecting. Loaded only then. */
import { type CollectContext, collectAfterSwitch } from "../ops/auto-collect.ts";
import { gcSummary } from "./gc-report.ts";
import { warningLines } from "./messages.ts";
import { createPaint, wantsColour } from "./paint.ts";
import { isTerminal, writeMessage } from "./terminal.ts";

/** Collects, and says what was removed: no line, or one. */
export async function afterSwitch(ctx: CollectContext): Promise<string[]> {
  const outcome = await collectAfterSwitch(ctx);
  const summary = outcome === undefined ? "nothing" : gcSummary(outcome.plan);
  return summary === "nothing" ? [] : [`collected ${summary}`];
}

/** The same for commands that are answered without the program: prints by itself. */
export async function afterQuickSwitch(ctx: Omit<CollectContext, "progress" | "warn">): Promise<void> {
  const paint = await createPaint(wantsColour(undefined, process.env, isTerminal(2)));
  const lines = await afterSwitch({
    ...ctx,
    progress: () => {},
    warn: (warning) => writeMessage(`${warningLines(warning, paint).join("\n")}\n`),
  });
  for (const line of lines) console.log(line);
}
