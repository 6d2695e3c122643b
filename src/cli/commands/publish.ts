import { formatSize } from "../../core/quantity.ts";
import { short } from "../../ops/current-tree.ts";
import { applyPublish, type PublishOutcome, type PublishPlan, planPublish } from "../../ops/publish.ts";
import { openConfigured } from "../../ops/stores.ts";
import { defaultChannel } from "../../ops/sync-target.ts";
import type { CommandModule, Session } from "../command.ts";
import { addChannelOption, addStoreOption } from "../options.ts";
import { counted, formatTook } from "../summary.ts";

export const publish: CommandModule = {
  define(command) {
    addChannelOption(command);
    addStoreOption(command);
  },
  async run(session, _args, options) {
    const started = performance.now();
    const ctx = session.context();
    const store = await openConfigured(ctx);
    try {
      const request = { channel: ctx.channel ?? defaultChannel, reason: options.reason };
      if (options.dryRun) {
        const plan = await planPublish(ctx, store, request);
        return { lines: planLines(plan, session), data: publishData(store.address, plan, undefined) };
      }
      const outcome = await applyPublish(ctx, store, request);
      return { lines: lines(outcome, session, started), data: publishData(store.address, outcome.plan, outcome) };
    } finally {
      await store.close();
    }
  },
};

function planLines(plan: PublishPlan, { paint }: Session): string[] {
  const hash = paint.bold(short(plan.hash));
  if (plan.step === "nothing") return [`nothing to do: ${plan.channel} points at ${hash}`];
  const move = `would point ${plan.channel} at ${hash}, ${was(plan)}`;
  if (plan.step === "promote") return [move];
  const { upload, uploadBytes, unknown, reused } = planned(plan);
  const size = `${formatSize(uploadBytes)}${unknown > 0 ? ` and ${counted(unknown, "package")} of unknown size` : ""}`;
  return [`would upload ${counted(upload, "blob")}, ${size}; ${reused} are in the store`, move];
}

function lines(
  { plan, uploaded, uploadedBytes, reused, reusedBytes }: PublishOutcome,
  { paint }: Session,
  started: number,
): string[] {
  const hash = paint.bold(short(plan.hash));
  const took = paint.dim(formatTook(performance.now() - started));
  if (plan.step === "nothing") return [`nothing to do: ${plan.channel} points at ${hash} ${took}`];
  const parts = [`${uploaded} uploaded (${formatSize(uploadedBytes)})`];
  if (reused > 0) parts.push(`${reused} already there (${formatSize(reusedBytes)} saved)`);
  return [
    `${plan.channel} is now ${hash}, ${was(plan)}: ${counted(plan.needed.length, "blob")}, ${parts.join(", ")} ${took}`,
  ];
}

function was({ from }: PublishPlan): string {
  return from === undefined ? "a new channel" : `was ${short(from)}`;
}

function planned({ needed, chosen }: PublishPlan): {
  upload: number;
  uploadBytes: number;
  unknown: number;
  reused: number;
} {
  const missing = new Set(chosen.missing);
  const upload = needed.filter(({ digest }) => missing.has(digest));
  return {
    upload: upload.length,
    uploadBytes: upload.reduce((sum, { size }) => sum + (size ?? 0), 0),
    unknown: upload.filter(({ size }) => size === undefined).length,
    reused: needed.length - upload.length,
  };
}

function publishData(store: string, plan: PublishPlan, outcome: PublishOutcome | undefined): object {
  const { upload, uploadBytes, reused } = planned(plan);
  return {
    store,
    release: plan.hash,
    channel: plan.channel,
    from: plan.from ?? null,
    step: plan.step,
    platforms: plan.platforms,
    blobs: plan.needed.length,
    uploaded: outcome?.uploaded ?? (plan.step === "publish" ? upload : 0),
    uploadedBytes: outcome?.uploadedBytes ?? (plan.step === "publish" ? uploadBytes : 0),
    reused: outcome?.reused ?? reused,
    reusedBytes: outcome?.reusedBytes ?? null,
  };
}
