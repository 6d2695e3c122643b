/** Text that bun or a registry wrote, before any of it goes into a message. */

/** Makes foreign text printable and free of the run's credentials; one line, at most 500 characters. */
export type Redact = (text: string) => string;

const longest = 500;
/** A shorter value is no credential, and masking it would mask half of every message. */
const shortestSecret = 4;

/** A function that masks the given secrets, what URLs hold of user, password, query and fragment, and control characters. */
export function redactor(secrets: readonly string[]): Redact {
  const masked = [...new Set(secrets.flatMap((secret) => [secret, encodeURIComponent(secret)]))]
    .filter((secret) => secret.length >= shortestSecret)
    .sort((a, b) => b.length - a.length);
  return (text) => {
    let safe = stripControls(text.slice(0, 20 * longest));
    for (const secret of masked) safe = safe.replaceAll(secret, "***");
    safe = safe.replace(/(:\/\/)(?:[^\s/@]*@)*([^\s?#"']*)[?#]?[^\s"']*/g, "$1$2");
    return (safe.length > longest ? `${safe.slice(0, longest)}…` : safe).toWellFormed();
  };
}

/** The credentials among the variables of a run: the tokens, and passwords inside the addresses of proxies. */
export function secretsOf(env: Readonly<Record<string, string>>): string[] {
  const secrets: string[] = [];
  for (const [name, value] of Object.entries(env)) {
    if (name.startsWith("CSP_TOKEN")) secrets.push(value);
    const password = /^[a-z]+:\/\/[^/@:]*:([^/]*)@/i.exec(value)?.[1];
    if (password) secrets.push(password);
  }
  return secrets;
}

/** Control and direction-changing characters, and escape sequences (real ones, and those that bun spelled out). */
function stripControls(text: string): string {
  return (
    text
      .replace(/(?:\u001b|\\x1[bB]|\u009b)\[?[0-9;?]*[A-Za-z]/g, "")
      // Bun spells line breaks inside foreign text as \n.
      .replace(/\\[nrt]|[\n\r\t]/g, " ")
      .replace(
        /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff\ufff0-\uffff]/g,
        "",
      )
  );
}
