/** What a resolution can say: the words that bun's output is translated to. */

export type FailureKind =
  /** The registry does not know the name (a private package without credentials looks the same). */
  | "no-package"
  | "no-version"
  | "no-tag"
  /** Only versions younger than the minimum release age match. */
  | "too-young"
  | "unauthorized"
  | "forbidden"
  /** No connection, no answer in time, or no trusted certificate. */
  | "unreachable"
  /** The registry answered 5xx, 408 or 429. */
  | "server-error"
  /** The registry answered, but not with a manifest. */
  | "bad-answer"
  | "invalid-name"
  | "peer"
  /** A dependency that does not come from a registry: git, a URL, a folder, a workspace. */
  | "source"
  /** The whole run took longer than its limit. */
  | "timeout"
  | "unknown";

/** One reason why there is no lockfile. Every text in it is stripped of control characters and credentials. */
export interface ResolveFailure {
  kind: FailureKind;
  /** The name in the registry, not an alias; for `source` the name of the dependency. */
  name?: string;
  /** What was asked for, without `npm:name@`. */
  spec?: string;
  /** `name@version` of the package that asked, in the rare case that bun says it. */
  parent?: string;
  /** Without user, password, query and fragment. */
  url?: string;
  status?: number;
  /** What bun said. */
  text: string;
}

/** Something bun said that did not stop it. */
export interface ResolverRemark {
  kind: "deprecated" | "optional-missing" | "peer" | "other";
  name?: string;
  version?: string;
  spec?: string;
  status?: number;
  /** A sentence for a message; names the package. */
  text: string;
}

/** The packages to resolve, as in package.json: exact versions or `npm:name@1.2.3`. */
export interface Roots {
  dependencies: Readonly<Record<string, string>>;
  optionalDependencies: Readonly<Record<string, string>>;
}

/** Splits `npm:name@spec` (an alias) into what the registry is asked for; anything else is a spec of the key itself. */
export function aliasTarget(key: string, spec: string): { name: string; spec: string } {
  if (!spec.startsWith("npm:")) return { name: key, spec };
  const target = spec.slice("npm:".length);
  const at = target.indexOf("@", 1);
  return at < 0 ? { name: target, spec: "latest" } : { name: target.slice(0, at), spec: target.slice(at + 1) };
}

/** Every root once, sorted by key. As in bun, an optional entry hides a plain one of the same name. */
export function listRoots(roots: Roots): { key: string; text: string; name: string; spec: string }[] {
  const all = new Map([...Object.entries(roots.dependencies), ...Object.entries(roots.optionalDependencies)]);
  return [...all]
    .map(([key, text]) => ({ key, text, ...aliasTarget(key, text) }))
    .sort((a, b) => (a.key < b.key ? -1 : 1));
}
