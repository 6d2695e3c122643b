/** Credentials from the programs that Docker keeps them with: `docker-credential-<name> get`. */
import { quoted } from "../../core/quote.ts";
import { unusableSettings } from "../failures.ts";
import type { StoreOptions } from "../store.ts";

const timeLimit = 30_000;
const maxBytes = 1 << 16;

export interface HelperAnswer {
  username: string;
  secret: string;
}

/**
 * Asks the program for the credentials of a server; undefined where it has none. What it prints is never shown. Throws
 * CSP_STORE_SETTINGS where it cannot be run or gives no answer within half a minute.
 */
export async function askHelper(
  name: string,
  server: string,
  env: StoreOptions["env"],
): Promise<HelperAnswer | undefined> {
  const program = `docker-credential-${name}`;
  const failed = (why: string) =>
    unusableSettings(
      `${quoted(program)}, which Docker's configuration names, ${why}`,
      `run it by itself: \`echo ${server} | ${program} get\`; or log in again`,
    );
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,100}$/.test(name)) throw failed("is no name of a program");
  const path = Bun.which(program, { PATH: env.PATH ?? "" });
  if (path === null) throw failed("is not installed");
  let output: string;
  let status: number;
  try {
    const child = Bun.spawn([path, "get"], {
      env: { ...env },
      stdin: new TextEncoder().encode(server),
      stdout: "pipe",
      stderr: "ignore",
      timeout: timeLimit,
      killSignal: "SIGKILL",
      maxBuffer: maxBytes,
    });
    [output, status] = await Promise.all([child.stdout.text(), child.exited]);
  } catch (cause) {
    throw failed(`cannot be run (${(cause as NodeJS.ErrnoException).code ?? "unknown reason"})`);
  }
  // The one thing that the programs say in a fixed way, to standard output.
  if (status !== 0 && /credentials not found/i.test(output)) return undefined;
  if (status !== 0) throw failed(`ended with ${status}`);
  const said = parse(output);
  if (typeof said?.Username !== "string" || typeof said.Secret !== "string") throw failed("printed no credentials");
  return said.Username === "" && said.Secret === "" ? undefined : { username: said.Username, secret: said.Secret };
}

function parse(text: string): { Username?: unknown; Secret?: unknown } | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
