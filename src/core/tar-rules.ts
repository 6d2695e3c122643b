/** The rules a package archive must keep, and the one error that says which was broken. */
import { CspError } from "./errors.ts";

/** What was wrong with an archive; stable words, found in the error's `data.rule`. */
export type TarRule =
  // the bytes
  | "not-gzip"
  | "gzip-truncated"
  | "gzip-corrupt"
  | "gzip-trailing-data"
  | "ratio"
  | "unpacked-size"
  // the archive
  | "truncated"
  | "checksum"
  | "number"
  | "entry-type"
  | "entry-count"
  | "entry-size"
  | "sparse"
  | "pax"
  | "pax-size"
  | "pax-global"
  | "metadata-size"
  | "conflicting-names"
  | "data-after-end"
  | "empty"
  // names
  | "name-missing"
  | "traversal"
  | "absolute"
  | "backslash"
  | "drive"
  | "nul"
  | "control-character"
  | "utf8"
  | "name-length"
  | "depth"
  | "file-and-directory"
  | "collision"
  | "link-escape"
  | "through-link"
  | "unstorable"
  // package.json
  | "manifest-missing"
  | "manifest-twice"
  | "manifest-invalid"
  | "manifest-mismatch"
  | "bin";

/** Makes foreign text fit to print: control, direction and line-separator characters become `\x1b` or `\u202e`. */
export function printable(text: string, longest = 200): string {
  const shown = text.length > longest ? `${text.slice(0, longest)}…` : text;
  return shown.replace(
    /[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufffe\uffff`]/g,
    (character) => {
      const code = character.charCodeAt(0);
      return code < 256 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
    },
  );
}

/**
 * A CSP_TARBALL_INVALID to throw. `what` ends the sentence that the entry begins ("`package/../x` climbs out of the
 * package"); without an entry it is the whole sentence.
 */
export function tarRefusal(rule: TarRule, what: string, entry?: string, cause?: unknown): CspError {
  const message = entry === undefined ? what : `\`${printable(entry)}\` ${what}`;
  const data = entry === undefined ? { rule } : { rule, entry: printable(entry) };
  return new CspError("CSP_TARBALL_INVALID", { message, data, cause });
}
