/** Names and versions that csp accepts, by npm's rules and stricter where a name becomes a path. No dependency, so cheap. */

/** What `import "x"` finds without looking at any package, in every supported Node and Bun. Fixed here so that hosts agree. */
const builtins: ReadonlySet<string> = new Set(
  `assert async_hooks buffer bun child_process cluster console constants crypto dgram diagnostics_channel dns domain
  events fs http http2 https inspector module net os path perf_hooks process punycode querystring readline repl stream
  string_decoder sys timers tls trace_events tty url util v8 vm wasi worker_threads zlib`.split(/\s+/),
);

const longestName = 214;
const longestVersion = 256;

/**
 * Why the name cannot be one that scripts import (an allowlist key, or what `csp add` is given); undefined where it can.
 * Stricter than `checkRegistryName`: no upper case, nothing odd at the front, no built-in module of the runtime.
 */
export function checkPackageName(name: string): string | undefined {
  const general = checkRegistryName(name);
  if (general !== undefined) return general;
  if (/[A-Z]/.test(name)) {
    return `names are lower case; a package that is older than that rule is written as an alias, \`${name.toLowerCase()}: npm:${name}@VERSION\``;
  }
  if (builtins.has(name))
    return `that is a module of the runtime itself, which an import reaches first; write an alias, \`npm-${name}: npm:${name}@VERSION\``;
  if (/[~!'()*]/.test(name)) return "only a-z, 0-9, `-`, `.` and `_` are allowed";
  if (name.startsWith("-")) return "it starts with `-`";
  return undefined;
}

/**
 * Why a registry cannot serve a package of that name, or csp must not write it to disk; undefined where neither holds.
 * Allows what old packages have (upper case, `~!'()*`, the names of built-in modules): the rule for what a lockfile's
 * graph may hold and for the right side of an alias.
 */
export function checkRegistryName(name: string): string | undefined {
  if (name === "") return "it is empty";
  if (name.length > longestName) return `it is longer than ${longestName} characters`;
  if (name !== name.trim()) return "it has space around it";
  if (/[^\x20-\x7e]/.test(name)) return "only ASCII letters are allowed; others can look like them";
  const scoped = name.startsWith("@");
  const parts = scoped ? name.slice(1).split("/") : [name];
  if (scoped && parts.length !== 2) return "a scoped name is written `@scope/name`";
  if (!scoped && name.includes("/")) return "only a scoped name, `@scope/name`, holds a `/`";
  for (const part of parts) {
    const reason = checkPart(part);
    if (reason !== undefined) return reason;
  }
  // A scope separates the name from the file names of node_modules; alone it may not look like one of them.
  if (!scoped && name.startsWith("_")) return "it starts with `_`";
  return undefined;
}

function checkPart(part: string): string | undefined {
  if (part === "") return "a scoped name is written `@scope/name`";
  if (part.startsWith(".")) return "it starts with `.`";
  if (!/^[A-Za-z0-9._~!'()*-]+$/.test(part)) return "it holds a character that a URL cannot hold as it is";
  const lower = part.toLowerCase();
  if (lower === "node_modules" || lower === "favicon.ico") return `\`${part}\` is reserved`;
  if (lower === "__proto__" || lower === "constructor" || lower === "prototype") return `\`${part}\` is reserved`;
  return undefined;
}

const exactVersion =
  /^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(?:-((?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)(?:\.(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*))*))?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?$/;

/** Why the text is not one exact semantic version (`1.2.3`, `1.2.3-rc.1+build`); undefined where it is. */
export function checkExactVersion(text: string): string | undefined {
  if (text === "") return "there is no version";
  if (text.length > longestVersion) return `a version has at most ${longestVersion} characters`;
  const match = exactVersion.exec(text);
  if (match) {
    return [match[1], match[2], match[3]].every((part) => Number.isSafeInteger(Number(part)))
      ? undefined
      : "a number in it is too large";
  }
  if (/^[v=]/.test(text) && exactVersion.test(text.replace(/^[v=\s]+/, "")))
    return "a version has no `v` or `=` before it";
  if (/^[\^~<>=*]|^[xX]$|\|\|| |\.[xX*]/.test(text)) return "that is a range, not one exact version";
  if (/^[0-9]+(?:\.[0-9]+)?$/.test(text)) return "an exact version has three parts, such as `1.2.3`";
  if (/^[A-Za-z][A-Za-z0-9._-]*$/.test(text)) return "that is a tag, not an exact version";
  return "that is not an exact version such as `1.2.3`";
}
