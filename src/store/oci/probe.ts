/** What these credentials may do in a repository, found out without leaving anything in it. */
import { isCspError } from "../../core/errors.ts";
import type { Capabilities } from "../store.ts";
import { startUpload, uploadUrl } from "./blobs.ts";
import type { OciClient } from "./client.ts";
import { sha256 } from "./manifest.ts";
import type { Tags } from "./tags.ts";

export const oneWriter = "registries have no compare-and-swap, so nothing keeps writers apart for certain";
const keepsAll =
  "manifests cannot be deleted there, so what is collected only loses its tags, for the registry's own rules to clear away";

/** Begins an upload and ends it again; asks to delete what cannot be there. Throws what requests throw. */
export async function probe(client: OciClient, tags: Tags): Promise<Capabilities> {
  try {
    const started = await startUpload(client);
    const to = uploadUrl(client, started);
    const expect = [200, 202, 204, 400, 404, 405];
    await client.send({ method: "DELETE", to, access: "push", action: "end an upload", expect }).catch(() => {});
  } catch (error) {
    if (isCspError(error, "CSP_STORE_DENIED")) return { writers: "none", why: "these credentials may not push to it" };
    if (isCspError(error, "CSP_STORE_READ_ONLY")) return { writers: "none", why: "it takes no pushes" };
    throw error;
  }
  const deletes = await tags.remove(sha256(crypto.getRandomValues(new Uint8Array(32))));
  return { writers: "one", why: deletes ? oneWriter : `${oneWriter}; ${keepsAll}` };
}
