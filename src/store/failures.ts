/** What a failed request to a store means for the user. No message holds a credential, a query string or control characters. */
import { CspError } from "../core/errors.ts";
import { quoted } from "../core/quote.ts";
import type { StoreKey } from "../core/store-key.ts";

/** The store does not have an object that is referred to, or that was asked for. */
export function missing(address: string, key: StoreKey): CspError {
  return new CspError("CSP_STORE_MISSING", {
    message: `the store \`${address}\` does not have ${quoted(key)}`,
    hint: "run `csp verify --store` where the store can be written; it names what is missing and who needs it",
    data: { store: address, key },
  });
}

/** No usable answer came; trying again may help, not before `retryAfterMs`. `problem` completes "the store `x` …". */
export function unreachable(
  address: string,
  problem: string,
  hint?: string,
  cause?: unknown,
  retryAfterMs?: number,
): CspError {
  return new CspError("CSP_STORE_UNREACHABLE", {
    message: `the store \`${address}\` ${problem}`,
    hint: hint ?? `check the network and the store, then try again; \`csp store check\` says more`,
    data: { store: address, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) },
    ...(cause === undefined ? {} : { cause }),
  });
}

/** An answer came that no store of this kind would give. `problem` completes "the store `x` …". */
export function badAnswer(address: string, problem: string, hint?: string): CspError {
  return new CspError("CSP_STORE_ANSWER", {
    message: `the store \`${address}\` ${problem}`,
    ...(hint === undefined ? {} : { hint }),
    data: { store: address },
  });
}

/** Such an answer where asking again will not help, as for an object that is too long: the `retrying` wrapper passes it on. */
export function lastingAnswer(address: string, problem: string, hint?: string): CspError {
  return new CspError("CSP_STORE_ANSWER", {
    message: `the store \`${address}\` ${problem}`,
    ...(hint === undefined ? {} : { hint }),
    data: { store: address, lasting: true },
  });
}

/** The credentials do not allow it. `action` completes "refused to …". */
export function denied(address: string, action: string, hint: string): CspError {
  return new CspError("CSP_STORE_DENIED", {
    message: `the store \`${address}\` refused to ${action}`,
    hint,
    data: { store: address },
  });
}

/** The store, or csp's way to it, cannot be written. */
export function readOnly(address: string, why: string): CspError {
  return new CspError("CSP_STORE_READ_ONLY", {
    message: `the store \`${address}\` can only be read: ${why}`,
    hint: "publish to the store that this one is filled from",
    data: { store: address },
  });
}

/** Nothing at the address is a store, and asking again will not change that. `problem` completes "the store `x` …". */
export function noStore(address: string, problem: string, hint: string): CspError {
  return new CspError("CSP_STORE_ADDRESS", {
    message: `the store \`${address}\` ${problem}`,
    hint,
    data: { store: address },
  });
}

/** Credentials, certificates or settings for reaching a store are missing, or cannot be read. */
export function unusableSettings(
  message: string,
  hint: string,
  cause?: unknown,
  details?: readonly string[],
): CspError {
  return new CspError("CSP_STORE_SETTINGS", {
    message,
    hint,
    ...(details === undefined ? {} : { details }),
    ...(cause === undefined ? {} : { cause }),
  });
}
