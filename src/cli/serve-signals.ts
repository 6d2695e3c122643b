/** How a server is told to stop, and to read its tokens again. */
import type { CspError } from "../core/errors.ts";
import type { Tokens } from "../ops/serve/tokens.ts";
import type { Serving } from "../ops/serve.ts";
import type { Session } from "./command.ts";
import { isTerminal } from "./terminal.ts";

const statuses = { SIGINT: 130, SIGTERM: 143 } as const;

/**
 * Resolves with SIGINT or SIGTERM, once the server has ended in order; a second one ends csp at once. Without a terminal SIGHUP
 * reads the tokens again; what is wrong with them goes to `problem`.
 */
export function untilStopped(
  session: Session,
  serving: Serving,
  tokens: { readTokens?: Tokens; writeTokens?: Tokens },
  problem: (error: CspError) => void,
): Promise<keyof typeof statuses> {
  const reload = (): void => {
    for (const each of [tokens.readTokens, tokens.writeTokens]) {
      try {
        each?.reload();
      } catch (error) {
        problem(error as CspError);
      }
    }
  };
  return session.withoutSignals(async () => {
    const { promise, resolve } = Promise.withResolvers<keyof typeof statuses>();
    let stopping = false;
    const stop = (name: keyof typeof statuses): void => {
      if (stopping) process.exit(statuses[name]);
      stopping = true;
      resolve(name);
    };
    // A service is told so to read its files again; to what runs in a terminal it means that the terminal is gone.
    const hangUp = isTerminal(2) ? () => stop("SIGTERM") : reload;
    process.on("SIGHUP", hangUp);
    process.on("SIGINT", stop);
    process.on("SIGTERM", stop);
    try {
      const name = await promise;
      await serving.stop();
      return name;
    } finally {
      process.off("SIGHUP", hangUp);
      process.off("SIGINT", stop);
      process.off("SIGTERM", stop);
    }
  });
}
