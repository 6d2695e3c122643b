/** Objects behind HTTP. */
import { digestOfKey, parseStoreKey } from "../../core/store-key.ts";
import { announcedLength } from "../../net/http.ts";
import { badAnswer, lastingAnswer, missing, readOnly, unreachable } from "../failures.ts";
import type { Blobs, StoredObject } from "../store.ts";
import { parseObject } from "./mode.ts";
import type { Remote } from "./request.ts";
import { type ModeFinder, plainCopy } from "./root.ts";

const maxPageBytes = 16 * 1024 * 1024;
/** A listing that goes on longer does not end. */
const maxPages = 100_000;

export function createHttpBlobs(remote: Remote, mode: ModeFinder): Blobs {
  const { address } = remote;
  const mustBeServed = async (): Promise<void> => {
    if ((await mode.find()).kind === "static") throw readOnly(address, plainCopy);
  };
  return {
    async size(key) {
      digestOfKey(key);
      const answer = await remote.ask({ method: "HEAD", path: key, accept: [200, 404], action: "show an object" });
      if (answer.status === 404) return undefined;
      const length = announcedLength(answer.headers);
      if (length === undefined) throw lastingAnswer(address, "does not say how long an object is");
      return length;
    },
    async get(key, { maxBytes }) {
      digestOfKey(key);
      const answer = await remote.ask({
        method: "GET",
        path: key,
        accept: [200, 404],
        action: "give an object",
        maxBytes,
      });
      if (answer.status === 404) throw missing(address, key);
      return answer.body;
    },
    async put(key, bytes) {
      digestOfKey(key);
      await mustBeServed();
      const answer = await remote.ask({
        method: "PUT",
        path: key,
        accept: [200, 201, 204, 412, 422],
        action: "take an object",
        headers: { "if-none-match": "*", "content-type": "application/octet-stream" },
        body: bytes,
      });
      if (answer.status === 422) throw unreachable(address, "received other bytes than were sent");
    },
    async *list() {
      await mustBeServed();
      let after = "";
      for (let pages = 0; pages < maxPages; pages++) {
        const page = await listPage(remote, after);
        yield page.objects;
        if (page.next === undefined) return;
        if (page.next <= after) throw lastingAnswer(address, "lists in a circle");
        after = page.next;
      }
      throw lastingAnswer(address, "lists without end");
    },
    async delete(key) {
      digestOfKey(key);
      await mustBeServed();
      const accept = [200, 202, 204, 404];
      await remote.ask({ method: "DELETE", path: key, accept, action: "delete an object" });
    },
  };
}

/** `{"objects": [["blobs/…", 123], …], "next": "blobs/…"}`; without `next` it is the last page. */
async function listPage(remote: Remote, after: string): Promise<{ objects: StoredObject[]; next: string | undefined }> {
  const answer = await remote.ask({
    method: "GET",
    path: after === "" ? "objects" : `objects?after=${after}`,
    accept: [200],
    action: "list its objects",
    maxBytes: maxPageBytes,
  });
  const said = parseObject(answer.body);
  if (!Array.isArray(said?.objects)) throw badAnswer(remote.address, "gave a listing that is none");
  const next = said.next;
  if (next !== undefined && (typeof next !== "string" || parseStoreKey(next) === undefined)) {
    throw badAnswer(remote.address, "gave a listing that goes on nowhere");
  }
  return { objects: said.objects.flatMap(parseEntry), next };
}

function parseEntry(entry: unknown): StoredObject[] {
  const [key, size] = Array.isArray(entry) ? entry : [];
  const isEntry =
    typeof key === "string" && parseStoreKey(key) !== undefined && Number.isSafeInteger(size) && size >= 0;
  return isEntry ? [{ key, size }] : [];
}
