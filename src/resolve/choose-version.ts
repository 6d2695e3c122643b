/** The one exact version that a name, tag or range means under a policy. */

/** What the choice is made from; all of it is the registry's word. */
export interface Candidates {
  versions: readonly string[];
  tags: ReadonlyMap<string, string>;
  deprecated: ReadonlySet<string>;
  /** ISO times by version; undefined where no policy asks for them. */
  times: ReadonlyMap<string, string> | undefined;
}

/** Why a version is passed over, or undefined. */
export type HoldBack = (version: string) => string | undefined;

export interface ChosenVersion {
  /** Undefined where nothing matches, or everything that matches is held back. */
  version: string | undefined;
  /** Newer versions that match and were passed over, newest first. */
  skipped: { version: string; why: string }[];
  /** The newest version there is, to suggest. */
  newest: string | undefined;
}

/**
 * The newest version that matches and is not held back. A bare name means what the authors tagged `latest`, or an older
 * release where that one is held back; any other tag means its one version. Deprecated versions are taken only where
 * nothing else matches.
 */
export async function chooseVersion(
  want: { kind: "range" | "tag"; text: string },
  from: Candidates,
  heldBack: HoldBack,
): Promise<ChosenVersion> {
  const semver = (await import("semver")).default;
  const newestFirst = semver.rsort(from.versions.filter((version) => semver.valid(version) === version));
  const tagged = want.kind === "tag" ? from.tags.get(want.text) : undefined;
  const latest = from.tags.get("latest");
  const matching = newestFirst.filter((version) => {
    if (want.kind === "range") return semver.satisfies(version, want.text);
    if (version === tagged) return true;
    return want.text === "latest" && tagged !== undefined && semver.lt(version, tagged) && !semver.prerelease(version);
  });
  const avoidDeprecated =
    (want.kind === "range" || want.text === "latest") && !matching.every((v) => from.deprecated.has(v));
  const skipped: { version: string; why: string }[] = [];
  const newest = latest ?? newestFirst[0];
  for (const version of matching) {
    const why = heldBack(version) ?? (avoidDeprecated && from.deprecated.has(version) ? "deprecated" : undefined);
    if (why === undefined) return { version, skipped, newest };
    skipped.push({ version, why });
  }
  return { version: undefined, skipped, newest };
}
