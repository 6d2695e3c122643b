/** Signals for commands that are answered without the program: they clean up before they end by one, too. */
import { handleSignals } from "./signals.ts";

/** Runs `body` to its end; a signal aborts what it is given, and ends csp when it is through. */
export async function untilSignal(body: (signal: AbortSignal) => Promise<boolean>): Promise<boolean> {
  const interrupt = handleSignals();
  try {
    return await body(interrupt.signal);
  } finally {
    interrupt.end();
    const name = interrupt.received();
    if (name !== undefined) {
      process.kill(process.pid, name);
      // Only where that signal is ignored.
      process.exit(interrupt.status());
    }
  }
}
