/**
 * Reads what `bun install --lockfile-only` writes to stderr. There is no machine-readable form, and the exit status
 * alone proves nothing: bun drops an optional package whose registry answered 500, and replaces a lockfile it cannot
 * read, both with status 0.
 */
import { sourceKind } from "../core/package-spec.ts";
import { aliasTarget, type FailureKind, type ResolveFailure, type ResolverRemark } from "./outcome.ts";
import type { Redact } from "./redact.ts";

interface Message {
  level: "error" | "warn";
  text: string;
}

/** What is not said twice: `failures` of one run, sorted by name and spec, and the remarks in bun's order. */
export interface Output {
  failures: ResolveFailure[];
  warnings: ResolverRemark[];
}

/** Translates the stderr of a run, whatever its exit status was. A failure means that its lockfile must not be used. */
export function readOutput(stderr: string, redact: Redact): Output {
  const failures: ResolveFailure[] = [];
  const warnings: ResolverRemark[] = [];
  const unresolved: { name: string; spec: string }[] = [];
  for (const message of messages(stderr)) {
    const missed = /^(@?[^@]+)@(.*) failed to resolve$/.exec(message.text);
    if (missed?.[1] && message.level === "error") {
      unresolved.push({ name: missed[1], spec: missed[2] ?? "" });
      continue;
    }
    const failure = readFailure(message.text);
    if (message.level === "warn" && !fatalThoughWarned(message.text, failure)) {
      warnings.push(readRemark(message.text, failure));
    } else {
      failures.push(failure);
    }
  }
  for (const { name, spec } of unresolved) attach(failures, name, spec);
  return { failures: settle(failures, redact), warnings: warnings.map((remark) => clean(remark, redact)) };
}

/** The `error:` and `warn:` blocks. Code frames, progress and advice (`note:`) are left out. */
function messages(stderr: string): Message[] {
  const found: Message[] = [];
  let open: Message | undefined;
  for (const line of stderr.split(/\r?\n/)) {
    const start = /^(error|warn): (.*)$/.exec(line);
    if (start) {
      open = { level: start[1] === "error" ? "error" : "warn", text: start[2] ?? "" };
      found.push(open);
    } else if (open && /^\s+at \S|^Received: /.test(line)) {
      open.text += ` ${line.trim()}`;
    } else {
      open = undefined;
    }
  }
  return found;
}

type Rule = readonly [pattern: RegExp, read: (match: RegExpExecArray) => Omit<ResolveFailure, "text">];

const rules: readonly Rule[] = [
  [/^GET (\S+) - (\d{3})$/, (m) => ofStatus(m[1] ?? "", Number(m[2]))],
  [
    /^No version matching "(.*)" found for specifier "(.+)" \(blocked by minimum-release-age/,
    (m) => asked("too-young", m[2], m[1]),
  ],
  [/^No version matching "(.*)" found for specifier "(.+)" /, (m) => asked("no-version", m[2], m[1])],
  [/^No version matching "(.*)" found for peer dependency "(.+)" /, (m) => asked("peer", m[2], m[1])],
  [/^Package "(.+)" with tag "(.*)" not found \(all versions blocked/, (m) => asked("too-young", m[1], m[2])],
  [/^Package "(.+)" with tag "(.*)" not found/, (m) => asked("no-tag", m[1], m[2])],
  [/^\S+ downloading package manifest (\S+)/, (m) => named("unreachable", m[1])],
  [/^\S+ parsing package manifest for (\S+)/, (m) => named("bad-answer", m[1])],
  [/^invalid dependency name "(.*)"/, (m) => named("invalid-name", m[1])],
  [
    /^refusing to resolve "(@?[^@"]+)@([^"]*)" declared by (\S+?):/,
    (m) => ({ ...asked("source", m[1], m[2]), ...one("parent", m[3]) }),
  ],
  [/^"git" is not installed \(needed for "(.+)"\)/, (m) => named("source", m[1])],
  [/^\S+ (?:cloning|checking out) repository for (\S+)/, (m) => named("source", m[1])],
  [/^no commit matching ".*" found for "(.+)"/, (m) => named("source", m[1])],
  [/^\S+ (?:downloading tarball|extracting tarball from) (@?[^@\s]+)@?(\S*)/, (m) => asked("source", m[1], m[2])],
  [/^Expected tarball URL to start with .* while fetching package "(.+)"/, (m) => named("source", m[1])],
  [/^Workspace dependency "(.+)" not found/, (m) => named("source", m[1])],
];

function readFailure(text: string): ResolveFailure {
  for (const [pattern, read] of rules) {
    const match = pattern.exec(text);
    if (match) return { ...read(match), text };
  }
  return { kind: "unknown", text };
}

function named(kind: FailureKind, name: string | undefined) {
  return { kind, ...one("name", name) };
}

function asked(kind: FailureKind, name: string | undefined, spec: string | undefined) {
  return { ...named(kind, name), ...one("spec", spec && name ? aliasTarget(name, spec).spec : spec) };
}

function one<K extends string>(key: K, value: string | undefined): { [P in K]?: string } {
  return (value ? { [key]: value } : {}) as { [P in K]?: string };
}

function ofStatus(address: string, status: number): Omit<ResolveFailure, "text"> {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  // Bun asks for one path segment, `/@scope%2fname`, below whatever path the registry has.
  const segment = url?.pathname.slice(url.pathname.lastIndexOf("/") + 1) ?? "";
  return { kind: kindOfStatus(status), ...one("name", decode(segment)), url: address, status };
}

function kindOfStatus(status: number): FailureKind {
  if (status === 404 || status === 410) return "no-package";
  if (status === 401) return "unauthorized";
  if (status === 402 || status === 403 || status === 451) return "forbidden";
  return status >= 500 || status === 408 || status === 429 ? "server-error" : "unknown";
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

/**
 * True for a warning after which the lockfile would lack something only because of a passing trouble or of what this
 * machine happens to have. That an optional package does not exist, or may not be had, is the same tomorrow.
 */
function fatalThoughWarned(text: string, failure: ResolveFailure): boolean {
  if (text.startsWith("Ignoring lockfile")) return true;
  return ["unauthorized", "unreachable", "server-error", "bad-answer", "source"].includes(failure.kind);
}

function readRemark(text: string, failure: ResolveFailure): ResolverRemark {
  const deprecated = /^deprecated (@?[^@]+)@(\S+): (.*)$/.exec(text);
  if (deprecated?.[1] && deprecated[2]) {
    const [, name, version, words] = deprecated;
    return { kind: "deprecated", name, version, text: `\`${name}@${version}\` is deprecated: ${words}` };
  }
  const { kind, name, spec, status } = failure;
  const facts = { ...one("name", name), ...one("spec", spec), ...(status === undefined ? {} : { status }) };
  if (kind === "peer") return { kind, ...facts, text: `no version of the peer \`${name}\` matches \`${spec}\`` };
  if (kind === "unknown" || name === undefined) return { kind: "other", ...facts, text: `bun says: ${text}` };
  const why = status === undefined ? text : `the registry answered ${status}`;
  return { kind: "optional-missing", ...facts, text: `the optional package \`${name}\` is left out: ${why}` };
}

/** Adds what the line `key@spec failed to resolve` knows to the failure it belongs to, or makes it one of its own. */
function attach(failures: ResolveFailure[], key: string, text: string): void {
  const source = sourceKind(text) !== undefined;
  const { name, spec } = source ? { name: key, spec: text } : aliasTarget(key, text);
  const same = failures.filter((failure) => failure.name === name && (failure.kind === "source" || !source));
  if (same.some((failure) => failure.spec === spec)) return;
  const bare = same.filter((failure) => failure.spec === undefined);
  for (const failure of bare) failure.spec = spec;
  if (bare.length > 0) return;
  const kind = source ? "source" : "unknown";
  failures.push(same[0] ? { ...same[0], spec } : { kind, name, spec, text: `${key}@${text} failed to resolve` });
}

/** Cleans, joins what is one failure, drops repetitions, sorts. */
function settle(failures: readonly ResolveFailure[], redact: Redact): ResolveFailure[] {
  const unreadable = new Set(
    failures.filter((failure) => failure.kind === "bad-answer").map((failure) => failure.name),
  );
  const kept = new Map<string, ResolveFailure>();
  for (const failure of failures) {
    // The parser's own complaint about a manifest, ` at name:1:2`, says no more than that it is unreadable.
    const place = / at (\S+):\d+:\d+$/.exec(failure.text)?.[1];
    if (failure.kind === "unknown" && place !== undefined && unreadable.has(place)) continue;
    const safe = clean(failure, redact);
    const key = JSON.stringify([safe.kind, safe.name, safe.spec, safe.kind === "unknown" ? safe.text : ""]);
    if (!kept.has(key)) kept.set(key, safe);
  }
  return [...kept.entries()]
    .sort(([a], [b]) => (sortKey(kept.get(a)) < sortKey(kept.get(b)) ? -1 : 1))
    .map(([, failure]) => failure);
}

function sortKey(failure: ResolveFailure | undefined): string {
  return `${failure?.name ?? "\uffff"}\u0000${failure?.spec ?? ""}\u0000${failure?.kind}`;
}

function clean<T extends ResolveFailure | ResolverRemark>(item: T, redact: Redact): T {
  const entries = Object.entries(item).map(([key, value]) => [key, typeof value === "string" ? redact(value) : value]);
  return Object.fromEntries(entries) as T;
}
