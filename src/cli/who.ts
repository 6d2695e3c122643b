/** Who does something, for the journal. */
import { hostname } from "node:os";

type Environment = Readonly<Record<string, string | undefined>>;

/** `user@host`: the name people know the user by, the number where the environment has none. */
export function whoIs(env: Environment): string {
  return `${env.SUDO_USER || env.USER || env.LOGNAME || `uid-${process.getuid?.() ?? "?"}`}@${hostname()}`;
}
