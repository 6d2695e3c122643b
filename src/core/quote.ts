/** Foreign text inside messages. */

const longest = 80;

/**
 * The text in back-quotes, fit for a message: control and direction-changing characters, credentials in URLs and
 * anything beyond 80 characters are left out.
 */
export function quoted(text: string): string {
  // The cut comes after the redaction, with slack, so that a credential is never cut in the middle and shown.
  const safe = redactUrls(text.slice(0, 10_000)).replace(
    /[\u0000-\u001f\u007f-\u009f`\u00ad\u061c\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff\ufff0-\uffff]/g,
    "",
  );
  return `\`${safe.length > longest ? `${safe.slice(0, longest)}…` : safe}\``.toWellFormed();
}

/** Text that a person gave, fit for one line of a terminal: without control characters, none at its ends. */
export function oneLine(text: string): string {
  return text
    .replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, " ")
    .trim()
    .toWellFormed();
}

/** Replaces what stands between `//` and `@`, and every query and fragment that follows an address. */
function redactUrls(text: string): string {
  return text.replace(
    /(:\/\/)(?:[^\s]*@)?([^\s?#]*)([?#]\S*)?/g,
    (_, slashes: string, rest: string, query?: string) => {
      return `${slashes}${rest}${query ? `${query[0]}…` : ""}`;
    },
  );
}
