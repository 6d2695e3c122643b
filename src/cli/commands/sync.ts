import { CspError } from "../../core/errors.ts";
import { durationForm, formatDuration, formatSize, parseDuration } from "../../core/quantity.ts";
import { short } from "../../ops/current-tree.ts";
import { describeHold } from "../../ops/hold.ts";
import { openConfigured, readSettings } from "../../ops/stores.ts";
import { applySync, planSync, type SyncOptions, type SyncOutcome, type SyncPlan } from "../../ops/sync.ts";
import { defaultChannel } from "../../ops/sync-target.ts";
import { type WatchEvent, watchChannel } from "../../ops/sync-watch.ts";
import type { CommandModule, CommonOptions, Report, Session } from "../command.ts";
import { addChannelOption, addSpaceOption, addStoreOption } from "../options.ts";
import { counted, formatTook } from "../summary.ts";

interface SyncFlags extends CommonOptions {
  check?: boolean;
  downloadOnly?: boolean;
  allowOlder?: boolean;
  watch?: boolean;
  interval?: string;
  jitter?: string;
}

export const sync: CommandModule<SyncFlags> = {
  define(command) {
    addChannelOption(command);
    addStoreOption(command);
    command
      .option("--check", "only ask: exit 0 where this host is in step, 6 where it is behind")
      .option("--download-only", "bring everything here and leave `current` where it is")
      .option("--allow-older", "take a store that shows an older state than this host has seen")
      .option("--watch", "go on: sync whenever the channel moves, until a signal comes")
      .option("--interval <duration>", "with --watch: how often to ask (default 30s)")
      .option("--jitter <duration>", "with --watch: how much longer a pause may be, at random (default 5s)");
    addSpaceOption(command);
  },
  async run(session, _args, options) {
    const started = performance.now();
    const ctx = session.context();
    const store = await openConfigured(ctx);
    try {
      const request: SyncOptions = {
        channel: ctx.channel ?? defaultChannel,
        allowOlder: options.allowOlder === true,
        downloadOnly: options.downloadOnly === true,
        limits: readSettings(ctx) ?? { sizeCap: {}, minimumFreeSpace: undefined },
        reason: options.reason,
      };
      if (options.watch) {
        const intervalMs = duration(options.interval, "--interval", 30_000);
        const jitterMs = duration(options.jitter, "--jitter", 5_000);
        // One line a change is what a service's log is for; how far a sync has come is not.
        const quiet = { ...ctx, progress: () => {} };
        return await watchChannel(quiet, store, { ...request, intervalMs, jitterMs }, (event) => tell(session, event));
      }
      if (options.dryRun || options.check) {
        const plan = await planSync(ctx, store, request);
        const behind = plan.step === "switch" || plan.step === "build";
        const report = { lines: planLines(plan, session), data: syncData(plan, undefined) };
        return options.check && behind ? { ...report, exit: 6 } : report;
      }
      const outcome = await applySync(ctx, store, request);
      return report(outcome, session, started);
    } finally {
      await store.close();
    }
  },
};

function report(outcome: SyncOutcome, session: Session, started: number): Report {
  return {
    lines: outcomeLines(outcome, session, performance.now() - started),
    data: syncData(outcome.plan, outcome),
    switched: outcome.switched,
  };
}

async function tell(session: Session, event: WatchEvent): Promise<void> {
  const at = `${new Date(session.context().now()).toISOString().slice(0, 19)}Z`;
  if (event.kind === "synced") {
    const lines = outcomeLines(event.outcome, session, undefined).map((line) => `${at} ${line}`);
    await session.print(lines, syncData(event.outcome.plan, event.outcome));
  } else if (event.kind === "recovered") {
    await session.print([`${at} the store answers again`], { recovered: true });
  } else {
    const { code, message } = event.error;
    const again = formatDuration(Math.round(event.retryMs / 1000) * 1000 || 1000);
    await session.print([`${at} ${code}: ${message}; trying again in ${again}`], { failing: code, message });
  }
}

function planLines(plan: SyncPlan, { paint }: Session): string[] {
  const hash = paint.bold(short(plan.target.hash));
  const { step, build, from } = plan;
  if (step === "held") return [heldLine(plan, hash)];
  if (step === "nothing") return [`nothing to do: ${hash} is ${from === plan.target.hash ? "current" : "here"}`];
  const lines: string[] = [];
  if (build !== undefined) {
    const { fetches, fetchBytes } = build.host;
    if (fetches > 0) lines.push(`would fetch ${counted(fetches, "blob")}, ${formatSize(fetchBytes)}`);
    const instances = build.host.blobs.reduce((sum, blob) => sum + blob.instances.length, 0);
    if (instances > 0) lines.push(`would build ${counted(instances, "package instance")}`);
    if (!build.host.switches) return lines;
  }
  return [...lines, `would switch from ${from === undefined ? "nothing" : short(from)} to ${hash}`];
}

function outcomeLines({ plan, host, switched }: SyncOutcome, { paint }: Session, tookMs: number | undefined): string[] {
  const { target, step, tree } = plan;
  const hash = paint.bold(short(target.hash));
  const took = tookMs === undefined ? "" : ` ${paint.dim(formatTook(tookMs))}`;
  if (step === "held") return [`${heldLine(plan, hash)}${took}`];
  const packages = counted(plan.build?.host.tree.instances.length ?? tree?.instances.length ?? 0, "package");
  if (step === "nothing" && !switched) {
    const where = plan.from === target.hash ? `${target.channel} is ${hash}, which is current` : `${hash} is here`;
    return [`nothing to do: ${where}, ${packages}${took}`];
  }
  const parts = [packages];
  if (host !== undefined && host.fetched > 0) parts.push(`${host.fetched} fetched (${formatSize(host.fetchedBytes)})`);
  const kept = (plan.build?.host.tree.instances.length ?? 0) - (host?.instances ?? 0);
  if (kept > 0) parts.push(`${kept} already here`);
  if (host === undefined) parts.push("all already here");
  const verb = switched ? `current is now ${hash} from ${target.channel}` : `${hash} is here and not current`;
  return [`${verb}: ${parts.join(", ")}${took}`];
}

function heldLine({ hold, from }: SyncPlan, hash: string): string {
  const words = hold === undefined ? "held" : describeHold(hold);
  return `nothing done: ${hash} is ${words}; ${from === undefined ? "nothing" : short(from)} stays until another release comes or \`csp resume\``;
}

function syncData(plan: SyncPlan, outcome: SyncOutcome | undefined): object {
  const { target, from, step, hold, build } = plan;
  const host = outcome?.host;
  return {
    store: target.store.address,
    generation: target.state.generation,
    channel: target.channel,
    release: target.hash,
    step,
    from: from ?? null,
    to: step === "held" ? (from ?? null) : target.hash,
    switched: outcome?.switched ?? (step === "switch" || build?.host.switches === true),
    fetched: host?.fetched ?? build?.host.fetches ?? 0,
    fetchedBytes: host?.fetchedBytes ?? build?.host.fetchBytes ?? 0,
    built: host?.instances ?? build?.host.blobs.reduce((sum, blob) => sum + blob.instances.length, 0) ?? 0,
    held: hold ?? null,
  };
}

function duration(text: string | undefined, option: string, otherwise: number): number {
  if (text === undefined) return otherwise;
  const parsed = parseDuration(text);
  if (parsed !== undefined) return parsed;
  throw new CspError("CSP_USAGE", { message: `\`${option} ${text}\` is no duration`, hint: `write ${durationForm}` });
}
