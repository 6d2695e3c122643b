import { formatSize } from "../../core/quantity.ts";
import { short } from "../../ops/current-tree.ts";
import { type ListedRelease, listReleases, setPin } from "../../ops/releases.ts";
import { openConfigured } from "../../ops/stores.ts";
import type { CommandModule } from "../command.ts";
import { addStoreOption, usageError } from "../options.ts";
import type { Paint } from "../paint.ts";
import { alignRows } from "../table.ts";

export const releases: CommandModule = {
  define: addStoreOption,
  async run(session) {
    const store = await openConfigured(session.context());
    try {
      const found = await listReleases(store);
      const { paint } = session;
      const header = ["release", "published", "by", "blobs", "size", "channels", "why"].map((title) =>
        paint.dim(title),
      );
      return {
        lines:
          found.length === 0
            ? [`nothing was published to ${store.address} yet`]
            : alignRows([header, ...found.map((release) => row(release, paint))], [3, 4]),
        data: found.map(({ at, pin, size: _, object, ...release }) => ({
          ...release,
          at: new Date(at).toISOString(),
          pin: pin === undefined ? null : { ...pin, at: new Date(pin.at).toISOString() },
          object,
        })),
      };
    } finally {
      await store.close();
    }
  },
};

function row({ hash, at, by, blobs, bytes, channels, pin, reason }: ListedRelease, paint: Paint): string[] {
  const when = `${new Date(at).toISOString().slice(0, 19).replace("T", " ")}Z`;
  const marks = [...channels, ...(pin === undefined ? [] : ["pinned"])].join(", ");
  return [paint.bold(short(hash)), when, by, String(blobs), formatSize(bytes), marks, reason ?? ""];
}

/** `csp release pin <release>` and `csp release unpin <release>`. */
export const release: CommandModule = {
  define(command) {
    command
      .argument("<action>", "pin or unpin")
      .argument("<release>", "a channel, or the beginning of a release's hash");
    addStoreOption(command);
  },
  async run(session, [action = "", name = ""], options) {
    if (action !== "pin" && action !== "unpin") {
      throw usageError(`\`csp release\` pins or unpins, it cannot \`${action}\``, action, ["pin", "unpin"], "release");
    }
    const pinned = action === "pin";
    const ctx = session.context();
    const store = await openConfigured(ctx);
    try {
      const request = { release: name, pinned, reason: options.reason, dryRun: options.dryRun === true };
      const { hash, changed } = await setPin(ctx, store, request);
      const verb = options.dryRun ? `would be ${action}ned` : `${action}ned`;
      const already = pinned ? "is pinned already" : "is not pinned";
      return {
        lines: [
          `${session.paint.bold(short(hash))} ${changed ? `${verb}: ${pinned ? "no collection removes it" : "collections judge it by its age"}` : already}`,
        ],
        data: { store: store.address, release: hash, pinned, changed },
      };
    } finally {
      await store.close();
    }
  },
};
