import { underInstallLock } from "../../ops/host-locks.ts";
import { readProject } from "../../ops/install.ts";
import { planLock } from "../../ops/lock.ts";
import { applyEdits } from "../../ops/project.ts";
import type { CommandModule, CommonOptions } from "../command.ts";
import { changeLines, counted, formatTook } from "../summary.ts";

export const lock: CommandModule<CommonOptions & { check?: boolean }> = {
  define(command) {
    command.option("--check", "only compare; exit 3 where the lockfile does not match the allowlist");
  },
  async run(session, _args, options) {
    const started = performance.now();
    const ctx = session.context();
    if (options.check) {
      const { locked } = readProject(ctx, { frozen: true });
      const size = locked?.lockfile.packages.size ?? 0;
      return {
        lines: [`script-packages.lock matches: ${counted(size, "package")}`],
        data: { matches: true, packages: size },
      };
    }
    const before = readProject(ctx, { frozen: false });
    const work = async () => {
      const { allowlist, locked } = readProject(ctx, { frozen: false }, before);
      const plan = await planLock(ctx, allowlist, locked, { canonical: true });
      if (!options.dryRun) applyEdits([plan.edit]);
      return plan;
    };
    const plan = options.dryRun ? await work() : await underInstallLock(ctx, work);
    const changed = plan.edit.before !== plan.edit.after;
    const verb = options.dryRun ? "would write" : "wrote";
    const summary = changed
      ? `${verb} script-packages.lock: ${counted(plan.lockfile.packages.size, "package")}`
      : `script-packages.lock is up to date: ${counted(plan.lockfile.packages.size, "package")}`;
    const took = session.paint.dim(formatTook(performance.now() - started));
    return {
      lines: [...changeLines(plan.changes, session.paint, session.verbose > 0), `${summary} ${took}`],
      data: { path: plan.edit.path, changed, packages: plan.lockfile.packages.size, changes: plan.changes },
    };
  },
};
