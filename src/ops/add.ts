/** What `csp add` pins: one exact version for every spec, chosen by the registry's tags and the allowlist's policy. */
import type { Allowlist } from "../core/allowlist.ts";
import type { Edit } from "../core/allowlist-edit.ts";
import { CspError } from "../core/errors.ts";
import type { PackageSpec } from "../core/package-spec.ts";
import { formatDuration } from "../core/quantity.ts";
import type { Packument } from "../registry/packument.ts";
import type { Context } from "./context.ts";
import { openRegistry } from "./registry.ts";

export interface Choice {
  key: string;
  name: string;
  version: string;
  /** What was asked for, where it was not the exact version. */
  asked: string | undefined;
  /** Newer versions that were passed over, newest first, and why. */
  skipped: { version: string; why: string }[];
}

/** Chooses versions for all specs, or throws for the first that has none. Exact versions ask the registry nothing. */
export async function chooseVersions(
  ctx: Context,
  allowlist: Allowlist,
  specs: readonly PackageSpec[],
): Promise<Choice[]> {
  const inexact = specs.some((spec) => spec.want.kind !== "exact");
  const client = inexact ? openRegistry(ctx, allowlist).client : undefined;
  return Promise.all(
    specs.map(async (spec): Promise<Choice> => {
      const { key, name, want } = spec;
      if (want.kind === "exact" || client === undefined) {
        return { key, name, version: want.text, asked: undefined, skipped: [] };
      }
      const full = allowlist.minimumReleaseAge !== undefined;
      const packument = await client.packument(name, { full });
      return { key, name, asked: want.text, ...(await choose(ctx, allowlist, spec, packument)) };
    }),
  );
}

/** The edits of the allowlist that pin the choices. */
export function editsOf(choices: readonly Choice[]): Edit[] {
  return choices.map(({ key, name, version }) => ({ set: key, version, ...(name === key ? {} : { name }) }));
}

async function choose(
  ctx: Context,
  allowlist: Allowlist,
  { name, want }: PackageSpec,
  packument: Packument,
): Promise<Pick<Choice, "version" | "skipped">> {
  const semver = (await import("semver")).default;
  const known = [...packument.versions.keys()].filter((version) => semver.valid(version) === version);
  const newestFirst = semver.rsort(known);
  const tagged = want.kind === "tag" ? packument.distTags.get(want.text) : undefined;
  if (want.kind === "tag" && tagged === undefined) {
    const tags = [...packument.distTags.keys()].sort();
    throw new CspError("CSP_REGISTRY_NOT_FOUND", {
      message: `\`${name}\` has no tag \`${want.text}\``,
      details: [tags.length > 0 ? `its tags are ${tags.join(", ")}` : "it has no tags"],
      hint: `run \`csp add ${name}\` for its newest version`,
    });
  }
  const candidates =
    want.kind === "range"
      ? newestFirst.filter((version) => semver.satisfies(version, want.text))
      : want.text === "latest"
        ? // What the authors call latest, then older releases; never one they have not called so yet.
          newestFirst.filter((v) => v === tagged || (semver.prerelease(v) === null && semver.lt(v, tagged as string)))
        : [tagged as string];
  const skipped: { version: string; why: string }[] = [];
  const deprecated = (version: string): boolean => packument.versions.get(version)?.deprecated !== undefined;
  const allDeprecated = candidates.every(deprecated);
  for (const version of candidates) {
    const why = heldBack(ctx, allowlist, packument, version);
    if (
      why === undefined &&
      (allDeprecated || (want.kind === "tag" && want.text !== "latest") || !deprecated(version))
    ) {
      return { version, skipped };
    }
    skipped.push({ version, why: why ?? "deprecated" });
  }
  throw noCandidate(name, want.text, skipped, newestFirst, packument);
}

/** Why the policy does not allow a version yet. */
function heldBack(ctx: Context, allowlist: Allowlist, packument: Packument, version: string): string | undefined {
  const age = allowlist.minimumReleaseAge;
  if (age === undefined) return undefined;
  const published = Date.parse(packument.time?.get(version) ?? "");
  if (Number.isNaN(published)) return "the registry does not say when it was published";
  const allowedFrom = published + age;
  if (allowedFrom <= ctx.now()) return undefined;
  return `published ${formatDuration(ctx.now() - published)} ago, held until ${new Date(allowedFrom).toISOString()}`;
}

function noCandidate(
  name: string,
  asked: string,
  skipped: readonly { version: string; why: string }[],
  newestFirst: readonly string[],
  packument: Packument,
): CspError {
  const latest = packument.distTags.get("latest") ?? newestFirst[0];
  if (skipped.length > 0) {
    return new CspError("CSP_TOO_YOUNG", {
      message: `every version of \`${name}\` that matches \`${asked}\` is held back by \`minimumReleaseAge\``,
      details: skipped.slice(0, 5).map(({ version, why }) => `${version}: ${why}`),
      hint: "wait, or allow an older version by its number",
    });
  }
  return new CspError("CSP_REGISTRY_NOT_FOUND", {
    message: `no version of \`${name}\` matches \`${asked}\``,
    details: latest === undefined ? [] : [`the latest is ${latest}`],
    ...(latest === undefined ? {} : { hint: `run \`csp add ${name}@${latest}\`` }),
  });
}
