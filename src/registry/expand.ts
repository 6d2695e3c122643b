/** `${VAR}` in npm configuration values, by npm's rules and with the defaults that bun and pnpm read as well. */

/** What became of a value. */
export type Expansion =
  /** `empty` names the variables that are set to nothing and have no default. */
  { kind: "text"; text: string; empty: readonly string[] } | { kind: "unset"; variable: string };

/** True where expansion would read the environment. */
export function hasVariable(text: string): boolean {
  for (const match of text.matchAll(reference)) {
    if ((match[1] ?? "").length % 2 === 0) return true;
  }
  return false;
}

/**
 * Replaces `${VAR}`, `${VAR?}` (nothing if unset), `${VAR-default}` (if unset) and `${VAR:-default}` (if unset or
 * empty). `\${VAR}` stays as it is. The first variable without value or default ends it.
 */
export function expandVariables(text: string, env: Readonly<Record<string, string | undefined>>): Expansion {
  const empty: string[] = [];
  let unset: string | undefined;
  const replaced = text.replace(reference, (whole: string, backslashes: string, body: string) => {
    if (backslashes.length % 2 === 1) return whole.slice((backslashes.length + 1) / 2);
    const parts = /^([^?:-]+)(?:(\?)|(:?-)([\s\S]*))?$/.exec(body);
    const name = parts?.[1] ?? body;
    const fallback = parts?.[2] ? "" : parts?.[3] ? (parts[4] ?? "") : undefined;
    const value = Object.hasOwn(env, name) ? env[name] : undefined;
    const chosen = value === undefined || (value === "" && parts?.[3] === ":-") ? fallback : value;
    if (chosen === undefined) unset ??= name;
    if (value === "" && chosen === "") empty.push(name);
    return backslashes.slice(backslashes.length / 2) + (chosen ?? "");
  });
  return unset === undefined ? { kind: "text", text: replaced, empty } : { kind: "unset", variable: unset };
}

const reference = /(?<!\\)(\\*)\$\{([^${}]+)\}/g;
