/** Blobs of a repository by their digests: looking, reading, uploading. */
import { quoted } from "../../core/quote.ts";
import { announcedLength } from "../../net/http.ts";
import { badAnswer, lastingAnswer, unreachable } from "../failures.ts";
import type { OciAnswer, OciClient, OciRequest } from "./client.ts";
import { noAnswer } from "./failures.ts";
import { emptyConfig, type OciDigest, sha256 } from "./manifest.ts";

/**
 * Size of a blob; undefined where it is not there. Asks for its first byte: with HEAD registries answer out of a memory that
 * does not know what their collection took away.
 */
export async function blobSize(client: OciClient, digest: OciDigest): Promise<number | undefined> {
  const look: OciRequest = {
    method: "GET",
    to: `blobs/${digest}`,
    headers: { range: "bytes=0-0" },
    maxBytes: 1,
    access: "pull",
    action: "show a blob",
    expect: [200, 206, 404, 416],
  };
  for (let tries = 1; ; tries++) {
    const answer = await client.trySend(look);
    const isFailure = "failed" in answer;
    // The whole blob came in spite of the range.
    if (isFailure && answer.failed === "too long") return headSize(client, digest);
    if (isFailure && answer.failed !== "interrupted") throw noAnswer(client.address, answer);
    if (isFailure || (answer.status === 206 && answer.body.byteLength === 0)) {
      // Announced, and not sent, twice: it is known by name alone.
      if (tries === 2) return undefined;
      continue;
    }
    if (answer.status === 404) return undefined;
    const total = /^bytes (?:0-0|\*)\/(\d{1,15})$/.exec(answer.headers.get("content-range") ?? "")?.[1];
    if (answer.status !== 200 && total !== undefined) return Number(total);
    return answer.status === 200 ? answer.body.byteLength : headSize(client, digest);
  }
}

async function headSize(client: OciClient, digest: OciDigest): Promise<number | undefined> {
  const to = `blobs/${digest}`;
  const answer = await client.send({ method: "HEAD", to, access: "pull", action: "show a blob", expect: [200, 404] });
  if (answer.status === 404) return undefined;
  const length = announcedLength(answer.headers);
  if (length === undefined) throw lastingAnswer(client.address.text, "does not say how long a blob is");
  return length;
}

/** The bytes, not compared with the digest; undefined where there are none. Throws where they are more than `maxBytes`. */
export async function readBlob(
  client: OciClient,
  digest: OciDigest,
  maxBytes: number,
): Promise<Uint8Array | undefined> {
  const to = `blobs/${digest}`;
  const expect = [200, 404];
  const answer = await client.send({ method: "GET", to, maxBytes, access: "pull", action: "give a blob", expect });
  return answer.status === 404 ? undefined : answer.body;
}

/** Uploads in one piece; the registry compares the bytes with the digest. */
export async function uploadBlob(client: OciClient, digest: OciDigest, bytes: Uint8Array): Promise<void> {
  const { address } = client;
  const started = await startUpload(client);
  const to = uploadUrl(client, started);
  to.searchParams.append("digest", digest);
  const answer = await client.send({
    method: "PUT",
    to,
    headers: { "content-type": "application/octet-stream" },
    body: bytes,
    access: "push",
    action: "take a blob",
    expect: [201, 204, 400, 404, 416],
  });
  if (answer.code === "DIGEST_INVALID") throw unreachable(address.text, "received other bytes than were sent");
  // Several registries behind one name that do not know of each other's uploads.
  if (answer.status >= 400) throw unreachable(address.text, `lost an upload that it had begun (${answer.status})`);
  const stored = answer.headers.get("docker-content-digest");
  if (stored !== null && stored !== digest) throw badAnswer(address.text, "stored a blob under another digest");
}

/** Begins an upload; the answer has its place. Throws CSP_STORE_DENIED and CSP_STORE_READ_ONLY where nothing can be put. */
export async function startUpload(client: OciClient): Promise<OciAnswer> {
  return client.send({
    method: "POST",
    to: "blobs/uploads/",
    body: new Uint8Array(),
    access: "push",
    action: "take a blob",
    expect: [202],
  });
}

/**
 * Where an upload goes on. On the registry's own host it is taken to the origin that csp talks to, whatever scheme or port a
 * registry behind a proxy thinks it has; other hosts have to be trusted by the address, and see no credentials.
 */
export function uploadUrl({ address }: OciClient, { headers }: OciAnswer): URL {
  const location = headers.get("location");
  const url = location === null ? null : URL.parse(location, `${address.base}blobs/uploads/`);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw badAnswer(address.text, "does not say where an upload goes");
  }
  if (url.hostname === new URL(address.origin).hostname) return new URL(`${url.pathname}${url.search}`, address.origin);
  if (url.protocol === "https:" && url.username === "" && address.trusted.has(url.host)) return url;
  throw lastingAnswer(
    address.text,
    `wants uploads to be sent to ${quoted(url.host)}`,
    `if that host is its own, add \`trust=${url.host}\` to the store's address`,
  );
}

/** Uploads what is not there. `force`: also what seems to be there. */
export async function ensureBlob(
  client: OciClient,
  digest: OciDigest,
  bytes: Uint8Array,
  force = false,
): Promise<void> {
  if (force || (await blobSize(client, digest)) !== bytes.byteLength) await uploadBlob(client, digest, bytes);
}

/** Sees to the configuration that every manifest names; `force` after a registry said that something is missing. */
export type EnsureConfig = (force?: boolean) => Promise<void>;

export function createEnsureConfig(client: OciClient): EnsureConfig {
  let done: Promise<void> | undefined;
  return (force = false) => {
    if (done !== undefined && !force) return done;
    const doing = ensureBlob(client, sha256(emptyConfig), emptyConfig, force);
    done = doing;
    doing.catch(() => {
      if (done === doing) done = undefined;
    });
    return doing;
  };
}
