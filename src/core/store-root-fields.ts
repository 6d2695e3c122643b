/** Reading the fields of a store's documents: exact shape, bounded lengths, nothing that a message could not show. */
import { CspError } from "./errors.ts";
import { isObject, type JsonObject } from "./jsonc.ts";
import { byteOrder } from "./location.ts";
import { parsePlatform } from "./platform.ts";
import { oneLine, quoted } from "./quote.ts";
import { type ObjectKind, parseStoreKey, type StoreKey } from "./store-key.ts";

/** Format of the root, of release objects and of key names; a newer one is refused. */
export const storeFormat = 1;

/** Latest time that a date can say, in milliseconds since 1970. */
const latest = 8_640_000_000_000_000;
const longestName = 200;
const longestReason = 2000;
const mostPlatforms = 100;

/** The refusal of a document; `what` begins the message: `the store's root`. */
export function invalid(what: string, why: string): CspError {
  return new CspError("CSP_STORE_INVALID", {
    message: `${what} is not one that csp wrote: ${why}`,
    hint: "run `csp verify --store` where the store can be written",
  });
}

/**
 * The object that a text holds, checked for its format. Whoever reads it builds a value of what it knows and compares the
 * value's own text with this one: that leaves no room for duplicate keys, unknown ones or numbers in disguise.
 */
export function readDocument(what: string, text: string, maxLength: number): JsonObject {
  if (text.length > maxLength) throw invalid(what, `it is longer than ${maxLength} characters`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw invalid(what, "it is no JSON");
  }
  if (!isObject(value)) throw invalid(what, "it is no object");
  const { format } = value;
  if (Number.isSafeInteger(format) && (format as number) > storeFormat) {
    throw new CspError("CSP_STORE_NEWER", {
      message: `${what} was written by a newer csp`,
      details: [`it has format ${format}, this csp reads up to ${storeFormat}`],
      hint: "update csp on this machine",
    });
  }
  if (format !== storeFormat) throw invalid(what, "it has no valid `format`");
  return value;
}

/** Readers of one field each; they throw `invalid` with the name of the field. */
export function createFieldReader(what: string) {
  const fail = (why: string): never => {
    throw invalid(what, why);
  };
  const object = (value: unknown, name: string): JsonObject =>
    isObject(value) ? value : fail(`\`${name}\` is no object`);
  const integer = (value: unknown, name: string, most: number = Number.MAX_SAFE_INTEGER): number =>
    typeof value === "number" && Number.isSafeInteger(value) && value >= 0 && value <= most
      ? value
      : fail(`\`${name}\` is no number from 0 to ${most}`);
  const line = (value: unknown, name: string, longest: number): string =>
    typeof value === "string" && value.length <= longest && oneLine(value) === value
      ? value
      : fail(`\`${name}\` is no single line of at most ${longest} characters`);
  const key = (value: unknown, name: string, kind?: ObjectKind): StoreKey => {
    const parts = typeof value === "string" ? parseStoreKey(value) : undefined;
    if (parts === undefined || (kind !== undefined && parts.kind !== kind))
      return fail(`\`${name}\` holds what is no key${kind === undefined ? "" : ` of ${kind}`}`);
    return value as StoreKey;
  };
  const list = <T>(value: unknown, name: string, most: number, read: (item: unknown) => T): T[] => {
    if (!Array.isArray(value)) return fail(`\`${name}\` is no list`);
    if (value.length > most) return fail(`\`${name}\` has more than ${most} entries`);
    return value.map(read);
  };
  return {
    fail,
    object,
    integer,
    key,
    list,
    time: (value: unknown, name: string): number => integer(value, name, latest),
    /** `user@host` and the like. */
    by: (value: unknown): string => line(value, "by", longestName),
    reason: (value: unknown): string | null => (value === null ? null : line(value, "reason", longestReason)),
    line,
    entries: (value: unknown, name: string, most: number): [string, unknown][] => {
      const entries = Object.entries(object(value, name));
      return entries.length > most ? fail(`\`${name}\` has more than ${most} entries`) : entries;
    },
    match: (value: unknown, name: string, pattern: RegExp): string =>
      typeof value === "string" && pattern.test(value)
        ? value
        : fail(`\`${name}\` cannot be ${quoted(String(value).slice(0, longestName))}`),
    /** Sorted, none twice. */
    keys: (value: unknown, name: string, most: number, kind?: ObjectKind): StoreKey[] => {
      const keys = list(value, name, most, (item) => key(item, name, kind));
      return isSorted(keys) ? keys : fail(`\`${name}\` is not sorted, or names a key twice`);
    },
    platforms: (value: unknown): string[] => {
      const names = list(value, "platforms", mostPlatforms, (name) =>
        typeof name === "string" && name.length <= longestName && parsePlatform(name) !== undefined
          ? name
          : fail("`platforms` names what is no platform"),
      );
      return isSorted(names) ? names : fail("`platforms` is not sorted, or names one twice");
    },
  };
}

/** True where each is greater than the one before it, in byte order. */
function isSorted(values: readonly string[]): boolean {
  return values.every((value, index) => index === 0 || byteOrder(values[index - 1] as string, value) < 0);
}

/** Lines of an object's text, by key in byte order; `indent` stands before each. */
export function objectLines(entries: Iterable<readonly [string, string]>, indent: string): string {
  const sorted = [...entries].sort((a, b) => byteOrder(a[0], b[0]));
  return block(
    "{",
    sorted.map(([key, text]) => `${JSON.stringify(key)}:${text}`),
    "}",
    indent,
  );
}

/** Lines of a list's text, in byte order. */
export function listLines(values: readonly string[], indent: string): string {
  return block(
    "[",
    [...values].sort(byteOrder).map((value) => JSON.stringify(value)),
    "]",
    indent,
  );
}

function block(open: string, lines: readonly string[], close: string, indent: string): string {
  if (lines.length === 0) return open + close;
  return `${open}\n${indent}${lines.join(`,\n${indent}`)}\n${indent.slice(1)}${close}`;
}
