import { applyResume, describeHold, readHolds } from "../../ops/hold.ts";
import { hostPaths } from "../../tree/layout.ts";
import type { CommandModule } from "../command.ts";

export const resume: CommandModule = {
  define() {},
  async run(session, _args, options) {
    const ctx = session.context();
    const holds = options.dryRun ? readHolds(hostPaths(ctx.dataRoot)) : await applyResume(ctx, options.reason);
    const verb = options.dryRun ? "would free" : "freed";
    const lines = holds.map((hold) => `${verb} ${session.paint.bold(hold.hash.slice(0, 12))}, ${describeHold(hold)}`);
    return { lines: holds.length === 0 ? ["nothing to do: nothing is held"] : lines, data: { freed: holds } };
  },
};
