/** `csp serve` over any store, in the process of the test. */

import type { AccessEntry, ServeLimits } from "../../../src/ops/serve/served.ts";
import type { Tokens } from "../../../src/ops/serve/tokens.ts";
import { startServing } from "../../../src/ops/serve.ts";
import { openHttpStore } from "../../../src/store/http.ts";
import type { Store, StoreOptions } from "../../../src/store/store.ts";

export interface ServedStore {
  /** `http://127.0.0.1:<port>`. */
  url: string;
  readonly readToken: string;
  readonly writeToken: string;
  /** What was asked so far. */
  readonly log: readonly AccessEntry[];
  /** Things that should not happen, which the server met. */
  readonly defects: readonly unknown[];
  /** A client, which may write unless it is given another token. */
  client(options?: ClientOptions): Store;
  /** Closes the store, too. */
  stop(): Promise<void>;
}

export interface ClientOptions extends Partial<StoreOptions> {
  /** Default: the one that may write; null for none. */
  token?: string | null;
}

export interface ServeTestOptions {
  limits?: Partial<ServeLimits>;
  /** Default: true. */
  writable?: boolean;
  /** True where reading takes a token, too. */
  closed?: boolean;
  tls?: { cert: string; key: string };
}

export const readToken = "token-that-may-read-0123456789";
export const writeToken = "token-that-may-write-0123456789";

/** Serves the store on a free port of the loopback. */
export async function serveOver(store: Store, options: ServeTestOptions = {}): Promise<ServedStore> {
  const log: AccessEntry[] = [];
  const defects: unknown[] = [];
  const serving = await startServing({
    store,
    listen: { host: "127.0.0.1", port: 0 },
    ...(options.tls === undefined ? {} : { tls: options.tls }),
    ...(options.closed ? { readTokens: only(readToken) } : {}),
    ...(options.writable === false ? {} : { writeTokens: only(writeToken) }),
    limits: { pollMs: 20, drainMs: 2000, ...options.limits },
    version: "0.0.0-test",
    now: Date.now,
    log: (entry) => log.push(entry),
    onDefect: (error) => defects.push(error),
  });
  return {
    url: serving.url,
    readToken,
    writeToken,
    log,
    defects,
    client: (own) => clientOf(serving.url, { token: writeToken, ...own }),
    stop: () => serving.stop(),
  };
}

/** A client of the kind http with nothing of the environment but a token. */
export function clientOf(url: string, { token = null, ...options }: ClientOptions = {}): Store {
  const env = { ...options.env, ...(token === null ? {} : { CSP_STORE_TOKEN: token }) };
  return openHttpStore(url, { home: undefined, userAgent: "csp/0.0.0-test", ...options, env });
}

function only(token: string): Tokens {
  return { accepts: (given) => given === token, reload() {} };
}
