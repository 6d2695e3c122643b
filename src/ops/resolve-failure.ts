/** Why there is no lockfile, with what only the registry can add: who asked for it, and what exists instead. */
import type { Allowlist } from "../core/allowlist.ts";
import type { CspError } from "../core/errors.ts";
import { rootsOf } from "../core/lockfile-match.ts";
import type { Packument } from "../registry/packument.ts";
import { failureError } from "../resolve/failure-error.ts";
import { type NearestVersion, nearestVersion } from "../resolve/nearest-version.ts";
import type { ResolveFailure } from "../resolve/outcome.ts";
import { findParents } from "../resolve/parents.ts";
import type { Context } from "./context.ts";
import { fileNames } from "./project.ts";
import type { Registry } from "./registry.ts";

/** Makes one error of all failures of a resolution. Asks the registry only about what a better version could mend. */
export async function explainFailures(
  ctx: Context,
  registry: Registry,
  allowlist: Allowlist,
  failures: readonly ResolveFailure[],
): Promise<CspError> {
  const roots = rootsOf(allowlist);
  const packuments = new Map<string, Promise<Packument | undefined>>();
  const fetch = (name: string, full: boolean): Promise<Packument | undefined> => {
    const key = `${name} ${full}`;
    const known = packuments.get(key) ?? registry.client.packument(name, { full }).catch(() => undefined);
    packuments.set(key, known);
    return known;
  };
  const mendable = failures.filter(({ kind }) =>
    ["no-package", "no-version", "no-tag", "too-young", "source", "invalid-name"].includes(kind),
  );
  const chains = await findParents(
    mendable,
    async (name) => {
      const packument = await fetch(name, false);
      if (packument === undefined) return undefined;
      const versions = Object.fromEntries(
        [...packument.versions].map(([version, { dependencies, optionalDependencies, peerDependencies }]) => [
          version,
          {
            dependencies: Object.fromEntries(dependencies),
            optionalDependencies: Object.fromEntries(optionalDependencies),
            peerDependencies: Object.fromEntries(peerDependencies),
          },
        ]),
      );
      return { versions, tags: Object.fromEntries(packument.distTags) };
    },
    roots,
  );
  const nearest = new Map<string, NearestVersion>();
  for (const { kind, name, spec } of mendable) {
    if (name === undefined || spec === undefined || kind === "no-package") continue;
    const packument = await fetch(name, true);
    if (packument === undefined) continue;
    const found = await nearestVersion(
      spec,
      [...packument.versions.keys()],
      Object.fromEntries(packument.distTags),
      Object.fromEntries(packument.time ?? []),
      allowlist.minimumReleaseAge === undefined ? undefined : ctx.now() - allowlist.minimumReleaseAge,
    );
    if (found !== undefined) nearest.set(`${name}@${spec}`, found);
  }
  return failureError(failures, {
    allowlistFile: fileNames(ctx).allowlist,
    roots,
    chains,
    nearest: (name, spec) => nearest.get(`${name}@${spec}`),
  });
}
