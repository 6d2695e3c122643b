import { formatSize } from "../../core/quantity.ts";
import { planBundle, writeBundle } from "../../ops/bundle-create.ts";
import { applyImport, type ImportPlan, planImport } from "../../ops/bundle-import.ts";
import { short } from "../../ops/current-tree.ts";
import { absoluteAddress } from "../../ops/store-address.ts";
import { open, openConfigured } from "../../ops/stores.ts";
import type { CommandModule, CommonOptions, Report, Session } from "../command.ts";
import { addStoreOption, usageError } from "../options.ts";
import { counted, formatTook } from "../summary.ts";

interface BundleFlags extends CommonOptions {
  since?: string[];
  allowOlder?: boolean;
}

/** `csp bundle create <file>` and `csp bundle import <file>`. */
export const bundle: CommandModule<BundleFlags> = {
  define(command) {
    const several = (value: string, before?: string[]): string[] => [...(before ?? []), value];
    command
      .argument("<action>", "create or import")
      .argument("<file>", "the bundle")
      .option("--channel <name>", "create: only this channel; default: all (env CSP_CHANNEL)")
      .option("--since <release>", "create: leave out what this release or channel has; again for more", several)
      .option("--allow-older", "import: move channels also where they were moved after the bundle was made");
    addStoreOption(command);
  },
  async run(session, [action = "", file = ""], options) {
    if (action === "create") return create(session, file, options);
    if (action === "import") return take(session, file, options);
    throw usageError(
      `\`csp bundle\` creates and imports, it cannot \`${action}\``,
      action,
      ["create", "import"],
      "bundle",
    );
  },
};

async function create(session: Session, file: string, options: BundleFlags): Promise<Report> {
  const started = performance.now();
  const ctx = session.context();
  const store = await openConfigured(ctx);
  try {
    const channels = ctx.channel === undefined ? [] : [ctx.channel];
    const plan = await planBundle(store, { channels, since: options.since ?? [] });
    const path = absoluteAddress(file, ctx.cwd).replace(/^file:/, "");
    if (!options.dryRun) await writeBundle(ctx, store, plan, path);
    const { releases, blobs, bytes, skipped, since } = plan;
    const parts = [counted(releases.length, "release"), `${counted(blobs, "blob")} (${formatSize(bytes)})`];
    if (skipped > 0) parts.push(`${skipped} left out`);
    const took = session.paint.dim(formatTook(performance.now() - started));
    return {
      lines: [`${options.dryRun ? "would write" : "wrote"} ${session.paint.bold(path)}: ${parts.join(", ")} ${took}`],
      data: {
        path,
        store: store.address,
        channels: [...plan.root.channels.keys()],
        releases,
        since,
        blobs,
        bytes,
        skipped,
      },
    };
  } finally {
    await store.close();
  }
}

async function take(session: Session, file: string, options: BundleFlags): Promise<Report> {
  const started = performance.now();
  const ctx = session.context();
  const source = await open(ctx, absoluteAddress(file, ctx.cwd).replace(/^file:/, "bundle:"));
  const store = await openConfigured(ctx);
  try {
    const request = { concurrency: 16, allowOlder: options.allowOlder === true };
    const done = options.dryRun ? undefined : await applyImport(ctx, source, store, request);
    const plan: ImportPlan = done ?? (await planImport(source, store, request));
    const took = session.paint.dim(formatTook(performance.now() - started));
    const lines = plan.channels.map(({ name, from, to }) => {
      if (from === to) return `${name} is ${session.paint.bold(short(to))} already`;
      const was = from === undefined ? "a new channel" : `was ${short(from)}`;
      return `${name} ${options.dryRun ? "would be" : "is now"} ${session.paint.bold(short(to))}, ${was}`;
    });
    if (done !== undefined) {
      const { copied, copiedBytes, reused } = done;
      lines.push(`${counted(copied, "blob")} copied (${formatSize(copiedBytes)}), ${reused} already there ${took}`);
    }
    return { lines, data: { bundle: source.address, store: store.address, ...plan, ...done } };
  } finally {
    await Promise.all([source.close(), store.close()]);
  }
}
