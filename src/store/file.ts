/**
 * A store in a directory, safe to share between hosts: only names that are made once decide anything, never a lock. Over NFS,
 * hosts may see a change as late as their mount caches names, by default up to a minute.
 */
import { isAbsolute } from "node:path";
import { CspError } from "../core/errors.ts";
import { quoted } from "../core/quote.ts";
import { fileObjects } from "./file/objects.ts";
import { createPlace } from "./file/place.ts";
import { fileRoot } from "./file/root.ts";
import { randomNonce, type Store, type StoreOptions } from "./store.ts";

/**
 * Opens a store by an absolute path, bare or after `file:` or `file://`. What stands in the path is taken as it is: `%20` are three
 * characters. The directory is made by the first write. Throws CSP_STORE_ADDRESS.
 */
export function openFileStore(address: string, options: Pick<StoreOptions, "signal">): Store {
  const directory = directoryOf(address);
  const name = `file:${directory.replace(/[\u0000-\u001f\u007f-\u009f`\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff]/g, "?")}`;
  const place = createPlace(directory, name.toWellFormed(), options.signal);
  return {
    kind: "file",
    address: place.address,
    blobs: fileObjects(place),
    root: fileRoot(place),
    capabilities: () => place.capabilities(),
    nonce: randomNonce,
    async close() {},
  };
}

function directoryOf(address: string): string {
  const path = address.replace(/^file:(?:\/\/(?:localhost)?(?=\/))?/i, "");
  if (!isAbsolute(path) || path.startsWith("//") || path.includes("\0")) {
    throw new CspError("CSP_STORE_ADDRESS", {
      message: `${quoted(address)} is no address of a directory`,
      hint: "write the absolute path, for example `file:/srv/csp`",
    });
  }
  return path.replace(/(?<=.)\/+$/, "");
}
