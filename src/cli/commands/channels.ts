import type { ChannelMove } from "../../core/store-root.ts";
import { short } from "../../ops/current-tree.ts";
import { listChannels, promoteTo } from "../../ops/releases.ts";
import { openConfigured } from "../../ops/stores.ts";
import type { CommandModule } from "../command.ts";
import { addStoreOption } from "../options.ts";
import { alignRows } from "../table.ts";

export const channels: CommandModule = {
  define: addStoreOption,
  async run(session) {
    const store = await openConfigured(session.context());
    try {
      const found = await listChannels(store);
      const { paint } = session;
      const header = ["channel", "release", "since", "by", "why"].map((title) => paint.dim(title));
      const rows = found.flatMap(({ name, history }) =>
        history
          .slice(0, session.verbose > 0 ? undefined : 1)
          .map((move, i) => [
            i === 0 ? paint.bold(name) : "",
            short(move.release),
            when(move),
            move.by,
            move.reason ?? "",
          ]),
      );
      return {
        lines: found.length === 0 ? [`nothing was published to ${store.address} yet`] : alignRows([header, ...rows]),
        data: found.map(({ name, release, history }) => ({
          name,
          release,
          history: history.map((move) => ({ ...move, at: new Date(move.at).toISOString() })),
        })),
      };
    } finally {
      await store.close();
    }
  },
};

function when({ at }: ChannelMove): string {
  return `${new Date(at).toISOString().slice(0, 19).replace("T", " ")}Z`;
}

export const promote: CommandModule = {
  define(command) {
    command
      .argument("<from>", "a channel, or the beginning of a release's hash")
      .argument("<channel>", "the channel to move; a new name makes a new channel");
    addStoreOption(command);
  },
  async run(session, [source = "", channel = ""], options) {
    const ctx = session.context();
    const store = await openConfigured(ctx);
    try {
      const request = { source, channel, reason: options.reason, dryRun: options.dryRun === true };
      const { from, to } = await promoteTo(ctx, store, request);
      const hash = session.paint.bold(short(to));
      const was = from === undefined ? "a new channel" : `was ${short(from)}`;
      const line =
        from === to
          ? `nothing to do: ${channel} points at ${hash}`
          : options.dryRun
            ? `would point ${channel} at ${hash}, ${was}`
            : `${channel} is now ${hash}, ${was}`;
      return { lines: [line], data: { store: store.address, channel, from: from ?? null, to, changed: from !== to } };
    } finally {
      await store.close();
    }
  },
};
