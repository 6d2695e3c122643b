/** How changes of the allowlist, the lockfile and the host are told to people. */
import type { PackageChange } from "../core/lockfile-diff.ts";
import { formatSize } from "../core/quantity.ts";
import type { RootChange } from "../core/root-changes.ts";
import { short } from "../ops/current-tree.ts";
import { type HostPlan, isNothingToDo } from "../ops/host-plan.ts";
import type { InstallOutcome, InstallPlan } from "../ops/install.ts";
import type { KnownTree } from "../ops/up-to-date.ts";
import type { Report, Session } from "./command.ts";
import type { Paint } from "./paint.ts";

/** `+ name 1.0.0`, `- name 1.0.0`, `~ name 1.0.0 -> 2.0.0`; long lists of indirect packages are counted. */
export function changeLines(changes: readonly PackageChange[], paint: Paint, verbose: boolean): string[] {
  const direct = changes.filter((change) => change.direct || verbose);
  const indirect = changes.length - direct.length;
  const width = Math.max(0, ...direct.map((change) => change.name.length));
  return [
    ...direct.map(({ kind, name, from, to }) => {
      const padded = name.padEnd(width);
      if (kind === "added") return `${paint.green("+")} ${padded} ${to.join(", ")}`;
      if (kind === "removed") return `${paint.red("-")} ${padded} ${from.join(", ")}`;
      return `${paint.yellow("~")} ${padded} ${from.join(", ")} -> ${to.join(", ")}`;
    }),
    ...(indirect > 0 ? [paint.dim(`  and ${counted(indirect, "indirect package")}`)] : []),
  ];
}

/** `1 package`, `2 packages`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** What an installation would do. */
export function installPlanLines(plan: HostPlan, paint: Paint): string[] {
  if (isNothingToDo(plan)) return [`nothing to do: ${short(plan.tree.hash)} is current`];
  const lines: string[] = [];
  if (plan.fetches > 0) {
    const unknown = plan.unknownSizes > 0 ? ` and ${counted(plan.unknownSizes, "package")} of unknown size` : "";
    lines.push(`would fetch ${counted(plan.fetches, "package")}, ${formatSize(plan.fetchBytes)}${unknown}`);
  }
  const instances = plan.blobs.reduce((sum, blob) => sum + blob.instances.length, 0);
  if (instances > 0) lines.push(`would build ${counted(instances, "package instance")}`);
  if (plan.switches)
    lines.push(
      `would switch from ${plan.from === undefined ? "nothing" : short(plan.from)} to ${paint.bold(short(plan.tree.hash))}`,
    );
  return lines;
}

/** What an installation did. */
export function installLines(outcome: InstallOutcome, paint: Paint, startedMs: number): string[] {
  const { plan } = outcome;
  const packages = counted(plan.host.tree.instances.length, "package");
  const took = formatTook(performance.now() - startedMs);
  const hash = paint.bold(short(outcome.hash));
  if (!outcome.switched && outcome.instances === 0)
    return [`nothing to do: ${hash} is current, ${packages} ${paint.dim(took)}`];
  const parts = [packages];
  if (outcome.fetched > 0) parts.push(`${outcome.fetched} fetched (${formatSize(outcome.fetchedBytes)})`);
  const kept = plan.host.tree.instances.length - outcome.instances;
  if (kept > 0) parts.push(`${kept} already here`);
  const verb = outcome.switched ? `current is now ${hash}` : `repaired ${hash}`;
  return [`${verb}: ${parts.join(", ")} ${paint.dim(took)}`];
}

/** `[12ms]`, `[1.24s]`. */
export function formatTook(milliseconds: number): string {
  return milliseconds < 1000 ? `[${Math.round(milliseconds)}ms]` : `[${(milliseconds / 1000).toFixed(2)}s]`;
}

/** The `data` of a planned or finished installation. */
export function installData(plan: InstallPlan, outcome: InstallOutcome | undefined): object {
  const { host, lock } = plan;
  return {
    lockfile: { path: lock.edit.path, changed: lock.edit.before !== lock.edit.after, changes: lock.changes },
    from: host.from ?? null,
    to: host.tree.hash,
    switched: outcome?.switched ?? host.switches,
    packages: host.tree.instances.length,
    bytes: host.totalBytes,
    built: outcome?.instances ?? host.blobs.reduce((sum, blob) => sum + blob.instances.length, 0),
    fetched: outcome?.fetched ?? host.fetches,
    fetchedBytes: outcome?.fetchedBytes ?? host.fetchBytes,
    roots: rootsData(host.changes),
    skipped: host.tree.skipped.map(({ name, version }) => ({ name, version })),
    installScripts: host.tree.installScripts,
  };
}

/** The report of an installation that found everything done before. */
export function knownReport(
  session: Session,
  known: KnownTree & { changes?: readonly RootChange[] },
  startedMs: number,
): Report {
  const { description, from, isCurrent, changes = [] } = known;
  const hash = session.paint.bold(short(description.hash));
  const packages = counted(description.instances.length, "package");
  const took = session.paint.dim(formatTook(performance.now() - startedMs));
  return {
    lines: [
      isCurrent
        ? `nothing to do: ${hash} is current, ${packages} ${took}`
        : `current is now ${hash}: ${packages}, all already here ${took}`,
    ],
    switched: from !== description.hash,
    data: {
      lockfile: { path: session.context().project.lockfile, changed: false, changes: [] },
      from: from ?? null,
      to: description.hash,
      switched: from !== description.hash,
      packages: description.instances.length,
      bytes: description.blobBytes,
      built: 0,
      fetched: 0,
      fetchedBytes: 0,
      roots: rootsData(changes),
      skipped: description.skipped.map(({ name, version }) => ({ name, version })),
      installScripts: null,
    },
  };
}

function rootsData(changes: readonly RootChange[]): object[] {
  return changes.map(({ kind, name, from, to }) => ({ kind, name, from: from ?? null, to: to ?? null }));
}
