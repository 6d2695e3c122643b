import { underInstallLock } from "../../ops/host-locks.ts";
import { applyInstall, planInstall, readProject, warnOfHold } from "../../ops/install.ts";
import { returnToKnownTree } from "../../ops/return.ts";
import { findKnownTree } from "../../ops/up-to-date.ts";
import type { CommandModule, CommonOptions } from "../command.ts";
import { addSpaceOption, addStoreOption } from "../options.ts";
import { changeLines, installData, installLines, installPlanLines, knownReport } from "../summary.ts";

interface InstallFlags extends CommonOptions {
  frozenLockfile?: boolean;
}

export const install: CommandModule<InstallFlags> = {
  define(command) {
    command
      .option("--frozen-lockfile", "refuse to write a lockfile; the default in CI and of `csp ci`")
      .option("--no-frozen-lockfile", "write the lockfile where needed, also in CI")
      .option("--offline", "use what is on this host; open no socket");
    addSpaceOption(command);
    addStoreOption(command);
  },
  async run(session, _args, options) {
    const started = performance.now();
    const ctx = session.context();
    const { paint } = session;
    const frozen = options.frozenLockfile ?? (session.inCi || session.invokedAs === "ci");
    const known = findKnownTree(ctx);
    if (known?.isCurrent) return knownReport(session, known, started);
    if (options.dryRun) {
      const plan = await planInstall(ctx, readProject(ctx, { frozen }));
      return {
        lines: [...changeLines(plan.lock.changes, paint, session.verbose > 0), ...installPlanLines(plan.host, paint)],
        data: installData(plan, undefined),
      };
    }
    // A refusal must not even create the data directory.
    const before = readProject(ctx, { frozen });
    return underInstallLock(ctx, async () => {
      if (known !== undefined) {
        warnOfHold(ctx, known.description.hash);
        const done = await returnToKnownTree(ctx, options.reason);
        if (done !== undefined) return knownReport(session, done, started);
      }
      const plan = await planInstall(ctx, readProject(ctx, { frozen }, before));
      const outcome = await applyInstall(ctx, plan, { reason: options.reason });
      const lines = [
        ...changeLines(plan.lock.changes, paint, session.verbose > 0),
        ...installLines(outcome, paint, started),
      ];
      return { lines, data: installData(plan, outcome), switched: outcome.switched };
    });
  },
};
