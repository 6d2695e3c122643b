/** The immutable objects of a file store: one file each, by its key. */
import { readdir } from "node:fs/promises";
import { digestOfKey, parseStoreKey, type StoreKey } from "../../core/store-key.ts";
import { osCode } from "../../fs/os-error.ts";
import { lastingAnswer, missing } from "../failures.ts";
import type { Blobs, StoredObject } from "../store.ts";
import { fileGuarded } from "./failures.ts";
import { factsOf, readRegular, removeFile, syncDirectoryOf } from "./io.ts";
import type { Place } from "./place.ts";

const pageSize = 256;

export function fileObjects(place: Place): Blobs {
  const { address } = place;
  /** Keys are paths as they stand, so nothing but a key may pass. */
  const pathOf = (key: StoreKey): string => {
    digestOfKey(key);
    return `${place.directory}/${key}`;
  };
  const sizeOf = async (key: StoreKey): Promise<number | undefined> => {
    const facts = await factsOf(pathOf(key));
    if (facts === "other") throw noFile(address, key);
    return facts?.size;
  };
  return {
    async size(key) {
      digestOfKey(key);
      await place.ready();
      return fileGuarded(address, "read", () => sizeOf(key));
    },

    async get(key, { maxBytes }) {
      const path = pathOf(key);
      await place.ready();
      const bytes = await fileGuarded(address, "read", () => readRegular(path, maxBytes));
      switch (bytes) {
        case "absent":
          throw missing(address, key);
        case "other":
          throw noFile(address, key);
        case "too long":
          throw lastingAnswer(address, `has more than ${maxBytes} bytes under \`${key}\``);
        default:
          return bytes;
      }
    },

    async put(key, bytes) {
      const path = pathOf(key);
      await place.prepare();
      await fileGuarded(address, "write", async () => {
        // Whoever made it may not have come to this sync.
        if ((await sizeOf(key)) !== undefined) await syncDirectoryOf(path);
        else if ((await place.create(key, bytes)) === "exists") await sizeOf(key);
      });
    },

    async *list() {
      await place.ready();
      for (const kind of ["blobs", "releases"]) {
        const names = await fileGuarded(address, "read", () => namesIn(`${place.directory}/${kind}`));
        const keys = names.map((name) => `${kind}/${name}`).filter((key) => parseStoreKey(key) !== undefined);
        for (let start = 0; start < keys.length; start += pageSize) {
          const page = keys.slice(start, start + pageSize);
          yield await fileGuarded(address, "read", () => sizesOf(place.directory, page));
        }
      }
    },

    async delete(key) {
      const path = pathOf(key);
      await place.ready();
      await fileGuarded(address, "write", async () => {
        if ((await factsOf(path)) === undefined) return;
        await removeFile(path);
        await syncDirectoryOf(path);
      });
    },
  };
}

function noFile(address: string, key: StoreKey) {
  return lastingAnswer(address, `has something that is no file under \`${key}\``);
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (osCode(error) === "ENOENT") return [];
    throw error;
  }
}

/** What vanished since its name was read is left out, and so is what is no file. */
async function sizesOf(directory: string, keys: readonly StoreKey[]): Promise<StoredObject[]> {
  const facts = await Promise.all(keys.map((key) => factsOf(`${directory}/${key}`)));
  return keys.flatMap((key, index) => {
    const each = facts[index];
    return each === undefined || each === "other" ? [] : [{ key, size: each.size }];
  });
}
