import { withStore } from "../../core/allowlist-store.ts";
import { CspError } from "../../core/errors.ts";
import { formatSize } from "../../core/quantity.ts";
import { applyMigration, type MigrateOutcome, planMigration } from "../../ops/migrate.ts";
import { applyEdits, type FileEdit, fileNames, readAllowlist } from "../../ops/project.ts";
import { absoluteAddress } from "../../ops/store-address.ts";
import { open, openEach, readSettings } from "../../ops/stores.ts";
import type { CommandModule, CommonOptions, Session } from "../command.ts";
import { parseCount } from "../counts.ts";
import { counted, formatTook } from "../summary.ts";

interface MigrateFlags extends CommonOptions {
  from?: string;
  concurrency?: string;
  switch?: boolean;
}

export const migrate: CommandModule<MigrateFlags> = {
  define(command) {
    command
      .argument("<target>", "the address of the store to move to")
      .option("--from <address>", "the store to move; default: the configured one")
      .option("--concurrency <count>", "objects that are copied at once (default 16)")
      .option("--switch", "then name the target in the allowlist");
  },
  async run(session, [to = ""], options) {
    const started = performance.now();
    const ctx = session.context();
    const concurrency = options.concurrency === undefined ? 16 : parseCount(options.concurrency, "--concurrency");
    const [source, ...others] =
      options.from === undefined
        ? await openEach(ctx, readSettings(ctx)?.stores ?? [])
        : [await open(ctx, absoluteAddress(options.from, ctx.cwd))];
    const target = await open(ctx, absoluteAddress(to, ctx.cwd));
    try {
      const edit = options.switch ? switchEdit(session, target.address) : undefined;
      if (source.address === target.address) {
        throw new CspError("CSP_USAGE", {
          message: `\`${target.address}\` is the store itself`,
          hint: "name the address to move to; `--from <address>` says which store is moved",
        });
      }
      if (options.dryRun) {
        const plan = await planMigration(source, target);
        const what = `${counted(plan.releases, "release")}, ${counted(plan.blobs, "blob")}, ${formatSize(plan.bytes)}`;
        return {
          lines: [plan.done ? "nothing to do: the store was moved there" : `would copy ${what} to ${target.address}`],
          data: { from: source.address, to: target.address, ...plan },
        };
      }
      const outcome = await applyMigration(ctx, source, target, { concurrency, to: target.address });
      if (edit !== undefined) applyEdits([edit]);
      return {
        lines: lines(outcome, target.address, edit, session, performance.now() - started),
        data: { from: source.address, to: target.address, ...outcome, switched: edit !== undefined },
      };
    } finally {
      await Promise.all([source, ...others, target].map((store) => store.close()));
    }
  },
};

/** The allowlist with the new address; made first, so that a file that cannot be edited stops the move before it begins. */
function switchEdit(session: Session, address: string): FileEdit {
  const ctx = session.context();
  const { text } = readAllowlist(ctx.project);
  return { path: ctx.project.allowlist, before: text, after: withStore(text, address, fileNames(ctx).allowlist) };
}

function lines(
  { releases, copied, copiedBytes, reused, rounds, marked }: MigrateOutcome,
  address: string,
  edit: FileEdit | undefined,
  { paint }: Session,
  tookMs: number,
): string[] {
  const parts = [counted(releases, "release"), `${counted(copied, "blob")} copied (${formatSize(copiedBytes)})`];
  if (reused > 0) parts.push(`${reused} already there`);
  if (rounds > 1) parts.push(`${rounds} rounds, as the source changed meanwhile`);
  return [
    `moved to ${paint.bold(address)}: ${parts.join(", ")} ${paint.dim(formatTook(tookMs))}`,
    marked
      ? "the source says so from now on, changes no more, and stays"
      : "the source cannot be written, so it does not say where it went; it stays",
    edit === undefined
      ? "next: name the new address as `store:` in the allowlist, and on hosts"
      : "the allowlist names it now",
  ];
}
