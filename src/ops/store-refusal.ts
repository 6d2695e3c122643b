/** What a transition of a store's root that was refused means for the user. */
import { CspError } from "../core/errors.ts";
import { quoted } from "../core/quote.ts";
import type { Refusal } from "../core/store-protocol.ts";
import type { Store } from "../store/store.ts";

/** The error of a refusal that trying again would not end. */
export function refusalError(store: Store, refusal: Refusal): CspError {
  const { address } = store;
  switch (refusal.refused) {
    case "moved":
      return new CspError("CSP_STORE_MOVED", {
        message: `the store \`${address}\` was moved to ${quoted(refusal.to)} and changes no more`,
        hint: "configure the new address, in the allowlist as `store:`",
        data: { store: address, to: refusal.to },
      });
    case "no-release":
      return new CspError("CSP_RELEASE_UNKNOWN", {
        message: `the store \`${address}\` has no release \`${refusal.release.slice(0, 12)}\``,
        hint: "run `csp releases` to see which there are",
        data: { store: address, release: refusal.release },
      });
    case "no-channel":
      return new CspError("CSP_CHANNEL_UNKNOWN", {
        message: `the store \`${address}\` has no channel ${quoted(refusal.channel)}`,
        hint: "run `csp channels` to see which there are",
        data: { store: address, channel: refusal.channel },
      });
    case "full":
      return new CspError("CSP_STORE_FULL", {
        message: `the store \`${address}\` has as many ${refusal.what} as it can hold`,
        hint: "run `csp gc --store`, and keep fewer releases with `--keep-releases`",
        data: { store: address, what: refusal.what },
      });
    case "gone":
      return new CspError("CSP_PUBLISH_REVOKED", {
        message: `objects that are needed in the store \`${address}\` are being deleted by a collection`,
        hint: "run `csp gc --store`, which ends what another one began, and then this again",
        data: { store: address, keys: refusal.keys.length },
      });
    case "revoked":
    case "unread":
      return new CspError("CSP_PUBLISH_REVOKED", {
        message: `collections of the store \`${address}\` were faster, again and again`,
        hint: "run the command again; if that goes on, raise the age from which a collection takes a publication for dead",
        data: { store: address },
      });
  }
}
