/** A service on loopback that resembles S3 as far as stores need it, and that a test can spoil: no signatures are checked. */
import type { Server } from "bun";
import { markHeader } from "../../../src/store/s3/blobs.ts";
import type { Certificate } from "../../support/certificate.ts";

export interface Seen {
  method: string;
  /** Path and query as they came. */
  url: string;
  headers: Headers;
  /** Region in the signature's scope. */
  region: string | undefined;
}

export interface Clone {
  endpoint: string;
  seen: Seen[];
  /** Path → bytes. */
  objects: Map<string, Uint8Array<ArrayBuffer>>;
  /** Settings for a store in the bucket `bucket`. */
  env: Record<string, string>;
  stop(): void;
}

/** Answers instead of the clone where it gives something. `before` counts the requests so far, from 0. */
export type Spoil = (seen: Seen, before: number) => Response | undefined | Promise<Response | undefined>;

export interface CloneOptions {
  spoil?: Spoil;
  /** Does what it is asked to twice, and gives the second answer. */
  repeats?: (seen: Seen) => boolean;
  /** Overwrites in spite of `If-None-Match`. */
  ignoresPreconditions?: boolean;
  /** Speaks TLS with it. */
  certificate?: Certificate;
}

export function startClone({ spoil, repeats, ignoresPreconditions = false, certificate }: CloneOptions = {}): Clone {
  const seen: Seen[] = [];
  const objects: Clone["objects"] = new Map();
  const marks = new Map<string, string>();
  const serve = (path: string, { method, headers }: Request, body: Uint8Array<ArrayBuffer>): Response => {
    const present = objects.get(path);
    if (method === "PUT") {
      const refuses = present && headers.has("if-none-match") && !ignoresPreconditions;
      if (refuses) return s3Error(412, "PreconditionFailed");
      objects.set(path, body);
      marks.set(path, headers.get(markHeader) ?? "");
      return new Response(null, { headers: { etag: '"x"' } });
    }
    if (method === "DELETE") {
      objects.delete(path);
      return new Response(null, { status: 204 });
    }
    if (!present) return s3Error(404, "NoSuchKey");
    return new Response(present, { headers: { etag: '"x"', [markHeader]: marks.get(path) ?? "" } });
  };
  const server: Server<undefined> = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    ...(certificate === undefined ? {} : { tls: certificate }),
    async fetch(request) {
      const { pathname, search } = new URL(request.url);
      const region = /Credential=[^/]+\/\d{8}\/([^/]+)\//.exec(request.headers.get("authorization") ?? "")?.[1];
      const entry: Seen = { method: request.method, url: `${pathname}${search}`, headers: request.headers, region };
      const body = new Uint8Array(await request.arrayBuffer());
      seen.push(entry);
      const spoiled = await spoil?.(entry, seen.length - 1);
      if (spoiled) return spoiled;
      if (search.includes("list-type=2")) return listing(objects, new URLSearchParams(search).get("prefix") ?? "");
      if (repeats?.(entry)) serve(pathname, request, body);
      return serve(pathname, request, body);
    },
  });
  const endpoint = `${certificate === undefined ? "http" : "https"}://127.0.0.1:${server.port}`;
  return {
    endpoint,
    seen,
    objects,
    env: {
      AWS_ENDPOINT_URL_S3: endpoint,
      AWS_ACCESS_KEY_ID: "key",
      AWS_SECRET_ACCESS_KEY: "s3cret",
      AWS_EC2_METADATA_DISABLED: "true",
    },
    stop: () => void server.stop(true),
  };
}

/** An error as S3 words it. */
export function s3Error(status: number, code: string, headers: Record<string, string> = {}, more = ""): Response {
  const body = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>on purpose</Message>${more}</Error>`;
  return new Response(body, { status, headers: { "content-type": "application/xml", ...headers } });
}

/** A page of a listing with these contents. */
export function page(contents: readonly { key: string; size: number | string }[], token?: string): Response {
  const entries = contents.map(({ key, size }) => `<Contents><Key>${key}</Key><Size>${size}</Size></Contents>`);
  const next =
    token === undefined
      ? "false"
      : `true</IsTruncated><NextContinuationToken>${token}</NextContinuationToken><IsTruncated>true`;
  const body = `<ListBucketResult><IsTruncated>${next}</IsTruncated>${entries.join("")}</ListBucketResult>`;
  return new Response(body, { headers: { "content-type": "application/xml" } });
}

function listing(objects: Clone["objects"], prefix: string): Response {
  const found = [...objects].map(([path, bytes]) => ({
    key: path.split("/").slice(2).join("/"),
    size: bytes.byteLength,
  }));
  return page(found.filter(({ key }) => key.startsWith(prefix)));
}
