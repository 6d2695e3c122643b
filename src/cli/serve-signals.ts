/** How a server is told to stop, and to read its tokens again. */
import type { CspError } from "../core/errors.ts";
import type { Serving } from "../ops/serve.ts";
import type { Tokens } from "../ops/serve-tokens.ts";
import type { Session } from "./command.ts";

const statuses = { SIGINT: 130, SIGTERM: 143 } as const;

/**
 * Resolves with SIGINT or SIGTERM, once the server has ended in order; a second one ends csp at once. SIGHUP reads the tokens
 * again; what is wrong with them goes to `problem`.
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
    process.on("SIGHUP", reload);
    process.on("SIGINT", stop);
    process.on("SIGTERM", stop);
    try {
      const name = await promise;
      await serving.stop();
      return name;
    } finally {
      process.off("SIGHUP", reload);
      process.off("SIGINT", stop);
      process.off("SIGTERM", stop);
    }
  });
}
