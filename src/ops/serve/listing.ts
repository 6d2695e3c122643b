/** Listings in pages by key. The store is read whole for the first page; further ones come from what was read then. */
import { parseStoreKey, type StoreKey } from "../../core/store-key.ts";
import type { Blobs, StoredObject } from "../../store/store.ts";
import { type Answer, problem } from "./answer.ts";
import { batched } from "./batch.ts";

export interface Listing {
  /** Objects after `after`, in the order of their keys; undefined `after`: from the beginning, as things are now. */
  page(after: StoreKey | undefined): Promise<{ objects: readonly StoredObject[]; next: StoreKey | undefined }>;
}

/** How long a listing is kept for those who are in the middle of it. */
const keptMs = 60_000;

export function createListing(blobs: Blobs, pageSize: number): Listing {
  let kept: { objects: readonly StoredObject[]; timer: ReturnType<typeof setTimeout> } | undefined;
  const forget = (): void => {
    clearTimeout(kept?.timer);
    kept = undefined;
  };
  const read = batched(async () => {
    const sizes = new Map<StoreKey, number>();
    for await (const page of blobs.list()) for (const { key, size } of page) sizes.set(key, size);
    const objects = [...sizes].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, size]) => ({ key, size }));
    forget();
    if (objects.length > pageSize) {
      const timer = setTimeout(forget, keptMs);
      timer.unref();
      kept = { objects, timer };
    }
    return objects;
  });
  return {
    async page(after) {
      // A newer listing than the one that was begun serves as well: what was there all along is in both.
      const objects = (after === undefined ? undefined : kept?.objects) ?? (await read());
      const start = after === undefined ? 0 : firstAfter(objects, after);
      const page = objects.slice(start, start + pageSize);
      return { objects: page, next: start + pageSize < objects.length ? page.at(-1)?.key : undefined };
    },
  };
}

function firstAfter(objects: readonly StoredObject[], key: StoreKey): number {
  let [low, high] = [0, objects.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((objects[middle] as StoredObject).key <= key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** `GET /objects?after=<key>`. */
export async function answerListing(listing: Listing, query: string): Promise<Answer> {
  const after = /^(?:after=(.*))?$/.exec(query);
  const key = after?.[1];
  if (after === null || (key !== undefined && parseStoreKey(key) === undefined)) {
    return problem(400, "a listing goes on with `?after=<key>`");
  }
  const { objects, next } = await listing.page(key);
  return {
    status: 200,
    headers: { "content-type": "application/json", "cache-control": "no-store" },
    body: `${JSON.stringify({ objects: objects.map((object) => [object.key, object.size]), next })}\n`,
  };
}
