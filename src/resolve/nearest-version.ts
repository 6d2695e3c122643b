/** The version to offer in place of one that cannot be had. */

export interface NearestVersion {
  version: string;
  /** Day of publication, `2024-05-01`. */
  published?: string;
}

/**
 * The existing version that comes nearest to `wanted` (a version, a range or a tag): the newest of the same minor, else
 * of the same major, else what `latest` names, else the newest. Prereleases only where one was asked for or nothing
 * else exists. `publishedBefore` (milliseconds since the epoch) leaves out what is younger or of unknown age.
 * Everything but `wanted` is the registry's word and may be anything; what is no version is passed over.
 */
export async function nearestVersion(
  wanted: string,
  versions: readonly string[],
  distTags: Readonly<Record<string, string>>,
  times: Readonly<Record<string, string>>,
  publishedBefore?: number,
): Promise<NearestVersion | undefined> {
  const semver = (await import("semver")).default;
  const old = (version: string) => publishedBefore === undefined || Date.parse(times[version] ?? "") <= publishedBefore;
  const existing = semver.rsort(versions.filter((version) => semver.valid(version) === version && old(version)));
  const aim = semver.parse(wanted) ?? (semver.validRange(wanted) ? semver.minVersion(wanted) : null);
  const releases = existing.filter((version) => semver.prerelease(version) === null);
  const candidates = (aim && aim.prerelease.length > 0) || releases.length === 0 ? existing : releases;
  const sameMinor = candidates.find(
    (version) => aim && semver.satisfies(version, `~${aim.major}.${aim.minor}.0-0`, { includePrerelease: true }),
  );
  const sameMajor = candidates.find((version) => aim?.major === semver.major(version));
  const latest = candidates.find((version) => version === distTags.latest);
  const version = sameMinor ?? sameMajor ?? latest ?? candidates[0];
  if (version === undefined) return undefined;
  const day = /^\d{4}-\d{2}-\d{2}(?=T)/.exec(String(times[version] ?? ""))?.[0];
  return day === undefined ? { version } : { version, published: day };
}
