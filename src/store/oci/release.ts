/** A release as a manifest whose layers are the release object and all blobs it names: what a registry's collection spares. */
import { isCspError } from "../../core/errors.ts";
import type { Digest } from "../../core/integrity.ts";
import { forEachLimited } from "../../core/limiter.ts";
import { byteOrder } from "../../core/location.ts";
import { parseLockfile } from "../../core/lockfile.ts";
import type { LockfileHash } from "../../core/lockfile-hash.ts";
import { parseReleaseObject, type ReleaseObject } from "../../core/release.ts";
import type { StoreKey } from "../../core/store-key.ts";
import { lastingAnswer, unreachable } from "../failures.ts";
import type { StoredObject } from "../store.ts";
import { blobSize, uploadBlob } from "./blobs.ts";
import type { OciClient } from "./client.ts";
import { blobsMissing } from "./failures.ts";
import {
  annotations,
  artifactTypes,
  type Layer,
  layerTypes,
  type Manifest,
  objectLayer,
  ociDigest,
} from "./manifest.ts";
import { objectTag, releaseTag } from "./names.ts";
import type { Tags } from "./tags.ts";

/** Layers of one manifest: registries refuse manifests beyond 4 MB, some beyond 4,200 layers. */
const mostLayers = 4000;
const mostTries = 3;
const looks = 16;

/**
 * Puts the manifests of a release whose object was uploaded; gives the keys of its blobs. Throws CSP_STORE_MISSING with the
 * blobs that the registry does not have.
 */
export async function putRelease(
  client: OciClient,
  tags: Tags,
  key: StoreKey,
  bytes: Uint8Array,
): Promise<ReadonlySet<StoreKey>> {
  const object = readObject(bytes);
  const blobs = [...(object?.blobs.values() ?? [])];
  const strange = blobs.find((blob) => ociDigest(blob.key) === undefined);
  if (strange !== undefined) {
    throw lastingAnswer(client.address.text, "cannot hold a release whose keys were made for a store of another kind");
  }
  const parts = manifestsOf(key, bytes, object, mostLayers);
  for (let tries = 1; !(await writeParts(tags, key, parts, object?.hash)); tries++) {
    const missing = await findMissing(client, [...blobs, { key, size: bytes.byteLength }]);
    const others = missing.filter((each) => each !== key);
    if (others.length > 0) throw blobsMissing(client.address, others);
    if (tries === mostTries) throw unreachable(client.address.text, "says that blobs are missing which it has");
    await uploadBlob(client, ociDigest(key) as string, bytes);
  }
  return new Set(blobs.map((blob) => blob.key));
}

/** True where the manifest of a release is there. */
export async function hasRelease(tags: Tags, key: StoreKey): Promise<boolean> {
  return (await tags.read(objectTag(key, 0)))?.manifest?.artifactType === artifactTypes.release;
}

/** Takes the manifests of a release away, the first one last, so that a broken attempt can be repeated. */
export async function dropRelease(tags: Tags, key: StoreKey): Promise<void> {
  const first = objectTag(key, 0);
  const found = await tags.read(first);
  if (found?.manifest?.artifactType !== artifactTypes.release) return;
  const { annotations: notes } = found.manifest;
  const parts = /^[1-9]\d{0,3}$/.test(notes[annotations.parts] ?? "") ? Number(notes[annotations.parts]) : 1;
  for (let part = parts - 1; part > 0; part--) {
    const other = await tags.read(objectTag(key, part));
    if (other?.manifest?.artifactType === artifactTypes.release) await tags.drop(objectTag(key, part), other.digest);
  }
  const hash = notes[annotations.lockfile] ?? "";
  // Where manifests cannot be deleted, this tag would go on holding the first one.
  if (/^[0-9a-f]{64}$/.test(hash) && (await tags.look(releaseTag(hash))) === found.digest) {
    await tags.drop(releaseTag(hash), found.digest);
  }
  if ((await tags.look(first)) !== undefined) await tags.drop(first, found.digest);
}

/** The first part comes last: whoever sees it sees all. False where the registry misses something. */
async function writeParts(
  tags: Tags,
  key: StoreKey,
  parts: readonly Manifest[],
  hash: LockfileHash | undefined,
): Promise<boolean> {
  for (const [part, manifest] of [...parts.entries()].toReversed()) {
    if ((await tags.write(objectTag(key, part), manifest)) === "lost") return false;
    if (part === 0 && hash !== undefined && (await tags.write(releaseTag(hash), manifest)) === "lost") return false;
  }
  return true;
}

/** The manifests of a release; `object` is undefined for bytes that are none, of which nothing more is known. */
export function manifestsOf(
  key: StoreKey,
  bytes: Uint8Array,
  object: ReleaseObject | undefined,
  most: number,
): Manifest[] {
  const titles = titlesOf(object);
  const layers: Layer[] = [objectLayer({ key, size: bytes.byteLength }, layerTypes.release, "release.json")];
  for (const [digest, blob] of object?.blobs ?? []) {
    layers.push(objectLayer(blob, layerTypes.package, titles.get(digest) ?? `${digest.slice(0, 32)}.tgz`));
  }
  const count = Math.ceil(layers.length / most);
  return Array.from({ length: count }, (_, part) => ({
    artifactType: artifactTypes.release,
    layers: layers.slice(part * most, (part + 1) * most),
    annotations: {
      [annotations.key]: key,
      [annotations.parts]: String(count),
      ...(object === undefined ? {} : { [annotations.lockfile]: object.hash }),
    },
  }));
}

/** File names by digest, as far as the lockfile tells. */
function titlesOf(object: ReleaseObject | undefined): Map<Digest, string> {
  const titles = new Map<Digest, string>();
  if (object === undefined) return titles;
  try {
    for (const { integrity, name, version } of parseLockfile(
      object.lockfile,
      "script-packages.lock",
    ).packages.values()) {
      if (integrity.kind === "strong") titles.set(integrity.digest, `${name}-${version}.tgz`);
    }
  } catch (error) {
    if (!isCspError(error)) throw error;
  }
  return titles;
}

function readObject(bytes: Uint8Array): ReleaseObject | undefined {
  try {
    return parseReleaseObject(bytes);
  } catch (error) {
    // Of a newer csp's release nothing is known that would keep its blobs.
    if (isCspError(error, "CSP_STORE_INVALID")) return undefined;
    throw error;
  }
}

async function findMissing(client: OciClient, objects: readonly StoredObject[]): Promise<StoreKey[]> {
  const missing: StoreKey[] = [];
  await forEachLimited(objects, looks, async ({ key, size }) => {
    if ((await blobSize(client, ociDigest(key) as string)) !== size) missing.push(key);
  });
  return missing.sort(byteOrder);
}
