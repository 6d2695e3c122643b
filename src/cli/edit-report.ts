/** What add, remove, enable and disable share: plan, apply under the lock, report. */
import type { Edit } from "../core/allowlist-edit.ts";
import type { Context } from "../ops/context.ts";
import { applyEditPlan, type EditPlan, planEdits } from "../ops/edit.ts";
import { underInstallLock } from "../ops/host-locks.ts";
import type { InstallOutcome } from "../ops/install.ts";
import { readAllowlist } from "../ops/project.ts";
import type { CommandModule, CommonOptions, Report, Session } from "./command.ts";
import { addSpaceOption } from "./options.ts";
import { changeLines, counted, formatTook, installData, installLines, installPlanLines } from "./summary.ts";

export interface EditFlags extends CommonOptions {
  lockfileOnly?: boolean;
}

/** Runs edits that `prepare` computes, as one transaction; `extra` adds lines and data of the command's own. */
export async function runEdits(
  session: Session,
  options: EditFlags,
  prepare: (ctx: Context) => Promise<{ edits: Edit[]; lines: string[]; data: object }>,
): Promise<Report> {
  const started = performance.now();
  const ctx = session.context();
  const work = async (): Promise<Report> => {
    const { edits, lines, data } = await prepare(ctx);
    const plan = await planEdits(ctx, edits, { lockfileOnly: options.lockfileOnly === true });
    const outcome = options.dryRun ? undefined : await applyEditPlan(ctx, plan, { reason: options.reason });
    return {
      lines: [...lines, ...editLines(session, plan, outcome, options, started)],
      data: { ...data, allowlistChanged: plan.edit.before !== plan.edit.after, ...editData(plan, outcome) },
      switched: outcome?.switched === true,
    };
  };
  // A project that cannot be read must not even get a data directory.
  readAllowlist(ctx.project);
  return options.dryRun ? work() : underInstallLock(ctx, work);
}

/** A command that makes one edit for each name it is given; `key` holds the names in the data. */
export function editByName<Flags extends EditFlags>(
  key: string,
  editOf: (name: string, options: Flags) => Edit,
): CommandModule<Flags> {
  return {
    define(command) {
      command
        .argument("<name...>", "as scripts import it")
        .option("--lockfile-only", "change the project's files, not this host");
      addSpaceOption(command);
    },
    run: (session, args, options) =>
      runEdits(session, options, async () => ({
        edits: [...new Set(args)].map((name) => editOf(name, options)),
        lines: [],
        data: { [key]: args },
      })),
  };
}

function editLines(
  session: Session,
  plan: EditPlan,
  outcome: InstallOutcome | undefined,
  options: EditFlags,
  started: number,
): string[] {
  const { paint } = session;
  const changes = changeLines(plan.lock.changes, paint, session.verbose > 0);
  if (outcome !== undefined) return [...changes, ...installLines(outcome, paint, started)];
  if (options.dryRun && plan.install !== undefined) return [...changes, ...installPlanLines(plan.install.host, paint)];
  const changed = plan.edit.before !== plan.edit.after || plan.lock.edit.before !== plan.lock.edit.after;
  if (!changed) return ["nothing to do"];
  const verb = options.dryRun ? "would write" : "wrote";
  const packages = counted(plan.lock.lockfile.packages.size, "package");
  return [
    ...changes,
    `${verb} script-packages.yaml and script-packages.lock: ${packages} ${paint.dim(formatTook(performance.now() - started))}`,
  ];
}

function editData(plan: EditPlan, outcome: InstallOutcome | undefined): object {
  if (plan.install !== undefined) return { install: installData(plan.install, outcome) };
  const { lock } = plan;
  return { lockfile: { path: lock.edit.path, changed: lock.edit.before !== lock.edit.after, changes: lock.changes } };
}
