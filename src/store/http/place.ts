/** Where a store behind HTTP is, and what it is told of who asks. */
import { readFileSync } from "node:fs";
import { CspError } from "../../core/errors.ts";
import { quoted } from "../../core/quote.ts";
import { unusableSettings } from "../failures.ts";
import type { StoreOptions } from "../store.ts";

/** The base of all URLs, without a slash at its end. Throws CSP_STORE_ADDRESS. */
export function parseHttpAddress(address: string): string {
  const url = URL.parse(address);
  if (url === null || !/^https?:$/.test(url.protocol) || url.hostname === "") {
    throw refused(address, "is no URL", "write `https://host/path`");
  }
  if (url.username !== "" || url.password !== "") {
    throw refused(address, "carries credentials", "put a token into CSP_STORE_TOKEN or CSP_STORE_TOKEN_FILE instead");
  }
  if (url.search !== "" || url.hash !== "") {
    throw refused(address, "has a query or a fragment", "write `https://host/path`");
  }
  return `${url.origin}${url.pathname.replace(/\/+$/, "")}`;
}

function refused(address: string, problem: string, hint: string): CspError {
  return new CspError("CSP_STORE_ADDRESS", { message: `the store's address ${quoted(address)} ${problem}`, hint });
}

export interface Token {
  /** Undefined where there is none. */
  current(): string | undefined;
  /** Reads the file again; true where the token is another one now. */
  renew(): boolean;
}

/**
 * The token for a store: `CSP_STORE_TOKEN`, else the file that `CSP_STORE_TOKEN_FILE` names. Lines of the file are a token, or
 * `<address> <token>` for stores below that address alone; the longest address counts. Throws CSP_STORE_SETTINGS.
 */
export function findToken(base: string, env: StoreOptions["env"]): Token {
  const path = env.CSP_STORE_TOKEN_FILE || undefined;
  const inline = env.CSP_STORE_TOKEN || undefined;
  const look = (): string | undefined => {
    if (inline !== undefined) return checked(inline.trim(), "CSP_STORE_TOKEN");
    return path === undefined ? undefined : tokenIn(readTokenFile(path), base);
  };
  let token = look();
  return {
    current: () => token,
    renew() {
      const before = token;
      token = look();
      return token !== before;
    },
  };
}

function tokenIn(text: string, base: string): string | undefined {
  let found: { address: string; token: string } | undefined;
  for (const line of text.split("\n")) {
    const words = line.trim().split(/\s+/);
    if (words[0] === "" || words[0]?.startsWith("#")) continue;
    const [token = "", address = ""] = words.toReversed();
    if (words.length > 2) throw badToken("CSP_STORE_TOKEN_FILE");
    if (address !== "" && !isBelow(base, address)) continue;
    if (found === undefined || address.length > found.address.length) found = { address, token };
  }
  return found === undefined ? undefined : checked(found.token, "CSP_STORE_TOKEN_FILE");
}

function isBelow(base: string, address: string): boolean {
  const prefix = parseHttpAddress(address);
  return base === prefix || base.startsWith(`${prefix}/`);
}

function readTokenFile(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw unusableSettings(
      `the file of CSP_STORE_TOKEN_FILE cannot be read (${(cause as NodeJS.ErrnoException).code ?? "unknown reason"})`,
      "point it at a file that this user can read",
      undefined,
      [`looked at ${quoted(path)}`],
    );
  }
}

function checked(token: string, variable: string): string {
  if (/^[\x21-\x7e]{1,4096}$/.test(token)) return token;
  throw badToken(variable);
}

function badToken(variable: string): CspError {
  return unusableSettings(
    `what ${variable} gives is no token`,
    "a token is one word of printable ASCII characters; in a file `<token>` or `<address> <token>` a line",
  );
}
