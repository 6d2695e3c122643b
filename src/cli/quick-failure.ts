/** Says what went wrong in a command that is answered without the program. Loaded only then. */
import type { CspError } from "../core/errors.ts";
import { errorLines } from "./messages.ts";
import { createPaint, wantsColour } from "./paint.ts";
import { isTerminal, writeMessage } from "./terminal.ts";

/** Says it and sets the exit status. */
export async function reportFailure(error: CspError): Promise<void> {
  const paint = await createPaint(wantsColour(undefined, process.env, isTerminal(2)));
  writeMessage(`${errorLines(error, paint).join("\n")}\n`);
  process.exitCode = error.exit;
}
