/** What `csp add` pins: one exact version for every spec, chosen by the registry's tags and the allowlist's policy. */
import type { Allowlist } from "../core/allowlist.ts";
import type { Edit } from "../core/allowlist-edit.ts";
import { CspError } from "../core/errors.ts";
import type { PackageSpec } from "../core/package-spec.ts";
import { formatAge, formatDuration } from "../core/quantity.ts";
import type { Packument } from "../registry/packument.ts";
import { type ChosenVersion, chooseVersion } from "../resolve/choose-version.ts";
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
    specs.map(async ({ key, name, want }): Promise<Choice> => {
      const { kind, text } = want;
      if (kind === "exact" || client === undefined) return { key, name, version: text, asked: undefined, skipped: [] };
      const packument = await client.packument(name, { full: allowlist.minimumReleaseAge !== undefined });
      const found = await chooseVersion({ kind, text }, candidatesOf(packument), (version) =>
        heldBack(ctx, allowlist, packument, version),
      );
      if (found.version === undefined) throw noVersion(name, kind, text, found, packument, allowlist);
      return { key, name, version: found.version, asked: text, skipped: found.skipped };
    }),
  );
}

/** The edits of the allowlist that pin the choices. */
export function editsOf(choices: readonly Choice[]): Edit[] {
  return choices.map(({ key, name, version }) => ({ set: key, version, ...(name === key ? {} : { name }) }));
}

function candidatesOf(packument: Packument) {
  const deprecated = [...packument.versions.values()].filter((each) => each.deprecated !== undefined);
  return {
    versions: [...packument.versions.keys()],
    tags: packument.distTags,
    deprecated: new Set(deprecated.map((each) => each.version)),
    times: packument.time,
  };
}

/** Why the policy does not allow a version yet. */
function heldBack(ctx: Context, allowlist: Allowlist, packument: Packument, version: string): string | undefined {
  const age = allowlist.minimumReleaseAge;
  if (age === undefined) return undefined;
  const published = Date.parse(packument.time?.get(version) ?? "");
  if (Number.isNaN(published)) return "the registry does not say when it was published";
  const allowedFrom = published + age;
  if (allowedFrom <= ctx.now()) return undefined;
  return `published ${formatAge(ctx.now() - published)} ago, held until ${new Date(allowedFrom).toISOString()}`;
}

function noVersion(
  name: string,
  kind: string,
  asked: string,
  found: ChosenVersion,
  packument: Packument,
  { minimumReleaseAge = 0 }: Allowlist,
): CspError {
  const { newest, skipped } = found;
  if (skipped.length > 0) {
    return new CspError("CSP_TOO_YOUNG", {
      message: `every version of \`${name}\` that matches \`${asked}\` is held back by \`minimumReleaseAge: ${formatDuration(minimumReleaseAge)}\``,
      details: skipped.slice(0, 5).map(({ version, why }) => `${version}: ${why}`),
      hint: "wait, or allow an older version by its number",
    });
  }
  const tags = [...packument.distTags.keys()].sort();
  const hint = newest === undefined ? {} : { hint: `run \`csp add ${name}@${newest}\`` };
  return new CspError("CSP_REGISTRY_NOT_FOUND", {
    message: kind === "tag" ? `\`${name}\` has no tag \`${asked}\`` : `no version of \`${name}\` matches \`${asked}\``,
    details: [
      ...(newest === undefined ? [] : [`the newest is ${newest}`]),
      ...(tags.length === 0 ? [] : [`its tags are ${tags.join(", ")}`]),
    ],
    ...hint,
  });
}
