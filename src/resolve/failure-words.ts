/** Each kind of failure as a sentence, the facts around it, and what to do. */
import { quoted } from "../core/quote.ts";
import type { NearestVersion } from "./nearest-version.ts";
import { listRoots, type ResolveFailure, type Roots } from "./outcome.ts";
import type { Chains } from "./parents.ts";

export interface FailureContext {
  /** The allowlist as messages call it. */
  allowlistFile: string;
  /** What was resolved. */
  roots: Roots;
  /** From `findParents`. */
  chains?: Chains | undefined;
  nearest?: ((name: string, spec: string) => NearestVersion | undefined) | undefined;
}

/** One failure in words. */
export interface Block {
  sentence: string;
  facts: string[];
  hint: string | undefined;
}

const mostNames = 5;

/** The words for failures that are one trouble (`group`, not empty); only the first one matters but for the names. */
export function describe(group: readonly ResolveFailure[], context: FailureContext): Block {
  const [failure] = group as [ResolveFailure];
  const name = quoted(failure.name ?? "?");
  const asked = failure.spec === undefined ? name : quoted(`${failure.name}@${failure.spec}`);
  const origin = originOf(failure, context);
  const registry = registryOf(failure);
  const near = failure.name && failure.spec ? context.nearest?.(failure.name, failure.spec) : undefined;
  const date = near?.published ? `, published ${near.published}` : "";
  const nearest = near ? [`the nearest version is ${quoted(near.version)}${date}`] : [];
  const replace = near && origin.addable ? `run \`csp add ${origin.addable}@${near.version}\`` : origin.remedy;
  switch (failure.kind) {
    case "no-package":
      return {
        sentence: `the registry has no package ${name}`,
        facts: [
          ...origin.facts,
          ...(failure.url ? [`asked for ${quoted(failure.url)}`] : []),
          "a private package looks the same without credentials",
        ],
        hint: origin.remedy,
      };
    case "no-version":
    case "peer":
      return {
        sentence: `no version of ${name} matches ${quoted(failure.spec ?? "")}`,
        facts: [...origin.facts, ...nearest],
        hint: replace,
      };
    case "no-tag":
      return {
        sentence: `${name} has no version or tag ${quoted(failure.spec ?? "")}`,
        facts: [...origin.facts, ...nearest],
        hint: replace,
      };
    case "too-young":
      return {
        sentence: `${asked} is younger than \`minimumReleaseAge\` allows`,
        facts: [
          ...origin.facts,
          ...nearest.map((line) => line.replace("nearest version", "nearest version that is old enough")),
        ],
        hint: replace ?? "wait, or lower `minimumReleaseAge`",
      };
    case "unauthorized":
    case "forbidden":
      return {
        sentence: `the registry${registry ? ` ${quoted(registry)}` : ""} refused ${failure.kind === "unauthorized" ? "the credentials" : "access"} (${failure.status}) for ${names(group)}`,
        facts: group.length === 1 ? origin.facts : [],
        hint: `give csp a token that may read it: \`${registry.replace(/^https?:/, "") || "//host/"}:_authToken=\${TOKEN}\` in \`.npmrc\``,
      };
    case "unreachable":
      return {
        sentence: `no answer from the registry for ${names(group)}: ${reason(failure)}`,
        facts: [],
        hint: isTls(failure)
          ? "name the authority that signed the registry's certificate with `cafile=` in `.npmrc`"
          : "check the network, the proxy and `registry` in `.npmrc`, then run the command again",
      };
    case "server-error":
      return {
        sentence: `the registry${registry ? ` ${quoted(registry)}` : ""} answered ${failure.status} for ${names(group)}`,
        facts: [],
        hint: "run the command again later",
      };
    case "bad-answer":
      return {
        sentence: failure.name
          ? `the registry's answer for ${name} is not a package manifest`
          : "the registry's answer cannot be used",
        facts: [failure.text],
        hint: "check that `registry` in `.npmrc` is an npm registry and not a login page or a proxy",
      };
    case "invalid-name":
      return { sentence: `${name} cannot be the name of a package`, facts: origin.facts, hint: origin.remedy };
    case "source":
      return {
        sentence: `${name} does not come from a registry${failure.spec ? `: ${quoted(failure.spec)}` : ""}`,
        facts: [...(failure.parent ? [`${quoted(failure.parent)} depends on it`] : []), ...origin.facts],
        hint: origin.remedy,
      };
    case "timeout":
      return {
        sentence: "the resolution took longer than its limit",
        facts: [failure.text],
        hint: "check the network and the registry, then run the command again",
      };
    case "unknown":
      return {
        sentence: `bun could not resolve ${failure.name ? asked : quoted(context.allowlistFile)}`,
        facts: [...origin.facts, `bun says: ${failure.text}`],
        hint: undefined,
      };
  }
}

/** Where a failure comes from, and what its owner can do. `addable` is the root's key where `csp add` can change it. */
function originOf(
  failure: ResolveFailure,
  context: FailureContext,
): { facts: string[]; remedy: string | undefined; addable?: string } {
  if (failure.name === undefined) return { facts: [], remedy: undefined };
  const file = quoted(context.allowlistFile);
  const root = listRoots(context.roots).find(({ key, name, spec }) => {
    return (name === failure.name || key === failure.name) && (failure.spec === undefined || spec === failure.spec);
  });
  if (root) {
    const remedy = `correct it in ${file}, or run \`csp remove ${root.key}\``;
    const addable = root.key === root.name ? root.key : `${root.key}@npm:${root.name}`;
    return { facts: [`${file} asks for ${quoted(`${root.key}: ${root.text}`)}`], remedy, addable };
  }
  const chains = context.chains?.(failure.name, failure.spec) ?? [];
  if (chains.length === 0) return { facts: [`it is a dependency of something in ${file}`], remedy: undefined };
  const top = chains[0]?.[0] ?? "";
  const key = top.slice(0, top.indexOf("@", 1));
  return {
    facts: chains.slice(0, 3).map((chain) => `needed through ${chain.map(quoted).join(" → ")}`),
    remedy: `try another version with \`csp add ${key}\`, or run \`csp remove ${key}\``,
  };
}

function names(group: readonly ResolveFailure[]): string {
  const all = group.map((failure) => quoted(failure.name ?? "?"));
  return all.length <= mostNames
    ? all.join(", ")
    : `${all.slice(0, mostNames).join(", ")} and ${all.length - mostNames} more`;
}

/** The address below which the registry's packages lie. */
export function registryOf(failure: ResolveFailure): string {
  return failure.url?.slice(0, failure.url.lastIndexOf("/") + 1) ?? "";
}

const reasons: Readonly<Record<string, string>> = {
  ConnectionRefused: "the connection was refused",
  ConnectionClosed: "the connection was closed",
  ConnectionReset: "the connection was reset",
  DNSResolveFailed: "the host name is not known",
  Timeout: "it stayed silent",
};

export function reason(failure: ResolveFailure): string {
  const word = /^(\S+) /.exec(failure.text)?.[1] ?? failure.text;
  return Object.hasOwn(reasons, word) ? (reasons[word] ?? word) : word;
}

function isTls(failure: ResolveFailure): boolean {
  return /TLS|SSL|CERT|VERIFY/.test(reason(failure));
}
