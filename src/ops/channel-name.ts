/** Names of channels as the user writes them. */
import { CspError } from "../core/errors.ts";
import { quoted } from "../core/quote.ts";
import { isChannelName } from "../core/store-root.ts";

/** Throws CSP_USAGE. */
export function requireChannelName(text: string): void {
  if (isChannelName(text)) return;
  throw new CspError("CSP_USAGE", {
    message: `${quoted(text)} is no name of a channel`,
    hint: "write lower-case letters, digits, `.`, `_` and `-`, at most 64, as in `stable`",
  });
}
