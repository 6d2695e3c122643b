import { applyPin, applyUnpin, planPin, planUnpin } from "../../ops/pin.ts";
import type { CommandModule } from "../command.ts";

export const pin: CommandModule = {
  define(command) {
    command.argument("<hash>", "the beginning of the hash of a tree on this host");
  },
  async run(session, args, options) {
    const prefix = args[0] as string;
    const ctx = session.context();
    const made = options.dryRun ? planPin(ctx, prefix, options.reason) : await applyPin(ctx, prefix, options.reason);
    const verb = options.dryRun ? "would pin" : "pinned";
    const why = made.reason === null ? "" : `: ${made.reason}`;
    return { lines: [`${verb} ${session.paint.bold(made.hash.slice(0, 12))}${why}`], data: made };
  },
};

export const unpin: CommandModule = {
  define(command) {
    command.argument("<hash>", "the beginning of the hash of a pinned tree");
  },
  async run(session, args, options) {
    const prefix = args[0] as string;
    const ctx = session.context();
    const found = options.dryRun ? planUnpin(ctx, prefix) : await applyUnpin(ctx, prefix);
    const name = session.paint.bold(found.hash.slice(0, 12));
    const verb = options.dryRun ? "would unpin" : "unpinned";
    const line = found.pinned ? `${verb} ${name}` : `nothing to do: ${name} is not pinned`;
    return { lines: [line], data: { hash: found.hash, unpinned: found.pinned } };
  },
};
