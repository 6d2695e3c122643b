/** Objects in a registry. Their keys end in the sha256 of their bytes, which is what the registry names them by. */
import { digestOfKey, parseStoreKey, type StoreKey } from "../../core/store-key.ts";
import { badAnswer, lastingAnswer, missing, unreachable } from "../failures.ts";
import type { Blobs, StoredObject } from "../store.ts";
import { blobSize, ensureBlob, readBlob, uploadBlob } from "./blobs.ts";
import type { OciClient } from "./client.ts";
import { artifactTypes, objectsOf, ociDigest, sha256 } from "./manifest.ts";
import { isBlobsTag, isObjectTag } from "./names.ts";
import { dropRelease, hasRelease, putRelease } from "./release.ts";
import { createStaging } from "./staging.ts";
import type { Tags } from "./tags.ts";

const mostTries = 3;
const atOnce = 8;
const mostRounds = 20;

export function createOciObjects(client: OciClient, tags: Tags): Blobs {
  const address = client.address.text;
  const staging = createStaging(tags);

  return {
    async size(key) {
      digestOfKey(key);
      const digest = ociDigest(key);
      if (digest === undefined) return undefined;
      // The bytes alone are no release: the registry would collect them.
      if (parseStoreKey(key)?.kind === "releases" && !(await hasRelease(tags, key))) return undefined;
      return blobSize(client, digest);
    },
    async get(key, { maxBytes }) {
      digestOfKey(key);
      const digest = ociDigest(key);
      const bytes = digest === undefined ? undefined : await readBlob(client, digest, maxBytes);
      if (bytes === undefined) throw missing(address, key);
      return bytes;
    },
    async put(key, bytes) {
      digestOfKey(key);
      const digest = ociDigest(key);
      if (digest === undefined || sha256(bytes) !== digest) {
        throw lastingAnswer(address, "keeps only what is named by its sha256, and was to be given something else");
      }
      await ensureBlob(client, digest, bytes);
      if (parseStoreKey(key)?.kind === "releases") {
        await staging.released(await putRelease(client, tags, key, bytes));
        return;
      }
      const object = { key, size: bytes.byteLength };
      for (let tries = 1; (await staging.add(object)) === "lost"; tries++) {
        if (tries === mostTries) throw unreachable(address, "loses what was just uploaded");
        await uploadBlob(client, digest, bytes);
      }
    },
    list: () => listObjects(client, tags),
    async delete(key) {
      digestOfKey(key);
      if (ociDigest(key) === undefined) return;
      if (parseStoreKey(key)?.kind === "releases") await dropRelease(tags, key);
      else await staging.remove(key);
    },
  };
}

/**
 * Everything that a manifest of csp names. What vanishes while it goes on has moved into another manifest, or was deleted: so the
 * tags are listed again, for those that are new, until none vanished.
 */
async function* listObjects(client: OciClient, tags: Tags): AsyncGenerator<readonly StoredObject[]> {
  const visited = new Set<string>();
  const given = new Set<StoreKey>();
  for (let rounds = 0; rounds < mostRounds; rounds++) {
    let vanished = false;
    for await (const page of tags.list()) {
      const open = [...new Set(page)].filter((tag) => (isBlobsTag(tag) || isObjectTag(tag)) && !visited.has(tag));
      for (let at = 0; at < open.length; at += atOnce) {
        const group = open.slice(at, at + atOnce);
        for (const tag of group) visited.add(tag);
        const found = await Promise.all(group.map((tag) => tags.read(tag)));
        for (const each of found) {
          const type = each?.manifest?.artifactType;
          vanished ||= each === undefined || type === artifactTypes.dropped;
          if (type !== artifactTypes.release && type !== artifactTypes.blobs) continue;
          const objects = each?.manifest === undefined ? [] : objectsOf(each.manifest);
          yield objects.filter(({ key }) => !given.has(key) && given.add(key) !== undefined);
        }
      }
    }
    if (!vanished) return;
  }
  throw badAnswer(client.address.text, "changes faster than it can be listed");
}
