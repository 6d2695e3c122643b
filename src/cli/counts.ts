/** Numbers on the command line. */
import { CspError } from "../core/errors.ts";

/** The value of `-n` and the like: a whole number of 1 or more, or of 0 where that is allowed. Throws CSP_USAGE. */
export function parseCount(text: string, option: string, least: 0 | 1 = 1): number {
  const count = /^[0-9]{1,9}$/.test(text) ? Number(text) : -1;
  if (count >= least) return count;
  throw new CspError("CSP_USAGE", {
    message: `\`${option}\` is a whole number, not \`${text.slice(0, 40).replace(/[^\x20-\x7e]|`/g, "?")}\``,
    hint: `write ${option} ${least === 0 ? "0, " : ""}1, 2, …`,
  });
}
