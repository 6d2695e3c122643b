/**
 * Blobs between their upload and their release: manifests of a few each keep the registry's collection away from them, and
 * let them be listed. Those that are put at the same time share one.
 */
import { forEachLimited } from "../../core/limiter.ts";
import { digestOfKey, type StoreKey } from "../../core/store-key.ts";
import type { StoredObject } from "../store.ts";
import {
  annotations,
  artifactTypes,
  layerTypes,
  type Manifest,
  type OciDigest,
  objectLayer,
  objectsOf,
} from "./manifest.ts";
import { isBlobsTag, newBlobsTag } from "./names.ts";
import type { Tags } from "./tags.ts";

export interface Staging {
  /** Keeps a blob that was uploaded. "lost": it is not there after all, or another one that was put with it. */
  add(object: StoredObject): Promise<"kept" | "lost">;
  /** Gives up what this client keeps and a release now refers to. */
  released(keys: ReadonlySet<StoreKey>): Promise<void>;
  /** Keeps a blob no longer, whoever put it. */
  remove(key: StoreKey): Promise<void>;
}

interface Group {
  digest: OciDigest;
  objects: readonly StoredObject[];
}

const mostInGroup = 500;
const atOnce = 8;
/** How long a list of tags serves those who remove many keys. */
const freshMs = 10_000;

export function createStaging(tags: Tags): Staging {
  const own = new Map<string, Group>();
  const known = new Map<string, Group>();
  let listedAt = Number.NEGATIVE_INFINITY;

  const write = async (tag: string, objects: readonly StoredObject[]): Promise<"kept" | "lost"> => {
    const written = await tags.write(tag, groupManifest(objects));
    if (written === "lost") return written;
    own.set(tag, { digest: written.digest, objects });
    return "kept";
  };

  const add = createBatches<StoredObject, "kept" | "lost">(mostInGroup, async (objects) =>
    write(await newBlobsTag(), [...new Map(objects.map((object) => [object.key, object])).values()]),
  );

  /** What others keep; own groups are known. */
  const learn = async (): Promise<void> => {
    if (performance.now() - listedAt < freshMs) return;
    const names: string[] = [];
    for await (const page of tags.list()) names.push(...page.filter(isBlobsTag));
    for (const tag of known.keys()) if (!names.includes(tag)) known.delete(tag);
    await forEachLimited(
      names.filter((tag) => !own.has(tag) && !known.has(tag)),
      atOnce,
      async (tag) => {
        const found = await tags.read(tag);
        if (found?.manifest?.artifactType === artifactTypes.blobs) {
          known.set(tag, { digest: found.digest, objects: objectsOf(found.manifest) });
        }
      },
    );
    listedAt = performance.now();
  };

  const shrink = async (groups: Map<string, Group>, gone: ReadonlySet<StoreKey>): Promise<void> => {
    const touched = [...groups].filter(([, { objects }]) => objects.some(({ key }) => gone.has(key)));
    await forEachLimited(touched, atOnce, async ([tag, group]) => {
      const rest = group.objects.filter(({ key }) => !gone.has(key));
      if (rest.length === 0) {
        await tags.drop(tag, group.digest);
        groups.delete(tag);
        return;
      }
      const written = await tags.write(tag, groupManifest(rest));
      // What the registry has lost needs no keeping.
      if (written === "lost") return;
      groups.set(tag, { digest: written.digest, objects: rest });
      if (written.digest !== group.digest) await tags.remove(group.digest);
    });
  };

  const remove = createBatches<StoreKey, void>(Number.POSITIVE_INFINITY, async (keys) => {
    const gone = new Set(keys);
    await learn();
    await shrink(own, gone);
    await shrink(known, gone);
  });

  return {
    add,
    remove,
    async released(keys) {
      const done = [...own].filter(([, { objects }]) => objects.every(({ key }) => keys.has(key)));
      await forEachLimited(done, atOnce, async ([tag, { digest }]) => {
        await tags.drop(tag, digest);
        own.delete(tag);
      });
    },
  };
}

function groupManifest(objects: readonly StoredObject[]): Manifest {
  const layers = objects.map((object) =>
    objectLayer(object, layerTypes.package, `${digestOfKey(object.key).slice(0, 32)}.tgz`),
  );
  return { artifactType: artifactTypes.blobs, layers, annotations: { [annotations.random]: crypto.randomUUID() } };
}

/** Does one batch at a time; what is asked meanwhile makes up the next. A batch that fails fails for all in it. */
function createBatches<T, R>(most: number, work: (batch: readonly T[]) => Promise<R>): (item: T) => Promise<R> {
  const waiting: { item: T; resolve: (result: R) => void; reject: (error: unknown) => void }[] = [];
  let busy = false;
  const run = async (): Promise<void> => {
    busy = true;
    while (waiting.length > 0) {
      const batch = waiting.splice(0, most);
      try {
        const result = await work(batch.map(({ item }) => item));
        for (const { resolve } of batch) resolve(result);
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    busy = false;
  };
  return (item) =>
    new Promise<R>((resolve, reject) => {
      waiting.push({ item, resolve, reject });
      if (!busy) void run();
    });
}
