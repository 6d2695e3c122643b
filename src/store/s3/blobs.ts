/** Immutable objects in a bucket: one request each, and listings page by page. */
import { quoted } from "../../core/quote.ts";
import { digestOfKey, parseStoreKey } from "../../core/store-key.ts";
import { announcedLength } from "../../net/http.ts";
import { badAnswer, lastingAnswer, missing } from "../failures.ts";
import type { Blobs, StoredObject } from "../store.ts";
import type { S3Client } from "./client.ts";
import { type S3Answer, stranger } from "./failures.ts";
import { readXml, textOf, type XmlElement } from "./xml.ts";

const mostPages = 1_000_000;
/** 1,000 keys of 1,024 bytes, each percent-encoded, and all that is said of them. */
const longestPage = 8 << 20;

/** `pageSize`: how many keys a page is asked for, at most 1,000. */
export function s3Blobs(client: S3Client, pageSize: number): Blobs {
  const { address } = client;
  return {
    async size(key) {
      digestOfKey(key);
      const answer = await client.send({ method: "HEAD", key, action: `look at ${quoted(key)}`, expect: [200, 404] });
      if (answer.status === 404) return undefined;
      const length = announcedLength(answer.headers);
      if (length === undefined) throw badAnswer(address.text, `does not say how long \`${key}\` is`, stranger);
      return length;
    },

    async get(key, { maxBytes }) {
      digestOfKey(key);
      const action = `read ${quoted(key)}`;
      const answer = await client.send({ method: "GET", key, maxBytes, action, expect: [200, 404] });
      if (answer.status === 404) throw missing(address.text, key);
      return bodyOf(client, answer, maxBytes);
    },

    async put(key, bytes) {
      digestOfKey(key);
      await putObject(client, key, bytes, {
        type: "application/octet-stream",
        ifAbsent: true,
        action: `write ${quoted(key)}`,
      });
    },

    async *list() {
      yield* pagesOf(client, "blobs/", pageSize);
      yield* pagesOf(client, "releases/", pageSize);
    },

    async delete(key) {
      digestOfKey(key);
      await client.send({ method: "DELETE", key, action: `delete ${quoted(key)}`, expect: [200, 204, 404] });
    },
  };
}

/** The bytes of an answer that carries an object. */
export function bodyOf({ address }: S3Client, answer: S3Answer, maxBytes: number): Uint8Array {
  if (answer.body.byteLength > maxBytes) throw lastingAnswer(address.text, `sends more than ${maxBytes} bytes`);
  const encoding = answer.headers.get("content-encoding") ?? "";
  if (/gzip|deflate|\bbr\b|zstd|compress/i.test(encoding)) {
    throw badAnswer(address.text, "sends objects compressed that were not asked for so", stranger);
  }
  return answer.body;
}

/** Metadata of an object: who wrote it. */
export const markHeader = "x-amz-meta-csp-mark";

/** Lets the service refuse what changed on the way; buckets with object lock refuse what comes without. */
export function checksum(bytes: Uint8Array): Record<string, string> {
  return { "content-md5": new Bun.CryptoHasher("md5").update(bytes).digest("base64") };
}

/** Writes an object in one request, whole or not at all. False where `ifAbsent` and there is one. */
export async function putObject(
  client: S3Client,
  key: string,
  bytes: Uint8Array,
  how: { type: string; ifAbsent: boolean; action: string; mark?: string },
): Promise<boolean> {
  const headers = {
    "content-type": how.type,
    ...checksum(bytes),
    ...(how.ifAbsent ? { "if-none-match": "*" } : {}),
    ...(how.mark === undefined ? {} : { [markHeader]: how.mark }),
  };
  const expect = how.ifAbsent ? [200, 412] : [200];
  const answer = await client.send({ method: "PUT", key, body: bytes, headers, action: how.action, expect });
  return answer.status === 200;
}

async function* pagesOf(client: S3Client, folder: string, pageSize: number): AsyncIterable<readonly StoredObject[]> {
  const { address } = client;
  const prefix = `${address.prefix}${folder}`;
  const seen = new Set<string>();
  let token: string | undefined;
  do {
    const answer = await client.send({
      method: "GET",
      query: {
        "list-type": "2",
        prefix,
        "encoding-type": "url",
        "max-keys": String(pageSize),
        ...(token === undefined ? {} : { "continuation-token": token }),
      },
      maxBytes: longestPage,
      action: `list \`${folder}\``,
      expect: [200],
    });
    const page = readXml(new TextDecoder().decode(answer.body));
    if (page?.name !== "ListBucketResult") throw badAnswer(address.text, "answers with no listing", stranger);
    yield page.children.flatMap((child) => (child.name === "Contents" ? objectOf(child, address.prefix) : []));
    token = textOf(page, "IsTruncated")?.trim() === "true" ? textOf(page, "NextContinuationToken") : undefined;
    // Half a listing would pass for a store that has lost the rest.
    if (token === undefined && textOf(page, "IsTruncated")?.trim() === "true") {
      throw badAnswer(address.text, "lists a part, and not how to go on");
    }
    if (token !== undefined && (seen.has(token) || seen.size > mostPages)) {
      throw badAnswer(address.text, "lists the same again and again");
    }
    if (token !== undefined) seen.add(token);
  } while (token !== undefined);
}

/** None where the name under the prefix is no key. */
function objectOf(contents: XmlElement, prefix: string): StoredObject[] {
  const key = keyUnder(prefix, textOf(contents, "Key") ?? "");
  const size = textOf(contents, "Size")?.trim() ?? "";
  if (key === undefined || parseStoreKey(key) === undefined || !/^\d{1,15}$/.test(size)) return [];
  return [{ key, size: Number(size) }];
}

/** Services that do not know `encoding-type` give names as they are; a prefix has no character that makes the two alike. */
function keyUnder(prefix: string, encoded: string): string | undefined {
  if (encoded.startsWith(prefix) && !encoded.includes("%")) return encoded.slice(prefix.length);
  try {
    const name = decodeURIComponent(encoded.replaceAll("+", " "));
    return name.startsWith(prefix) ? name.slice(prefix.length) : undefined;
  } catch {
    return undefined;
  }
}
