/** A service on loopback that resembles S3 as far as stores need it, and that a test can spoil: no signatures are checked. */
import type { Server } from "bun";

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
  /** Overwrites in spite of `If-None-Match`. */
  ignoresPreconditions?: boolean;
}

export function startClone({ spoil, ignoresPreconditions = false }: CloneOptions = {}): Clone {
  const seen: Seen[] = [];
  const objects: Clone["objects"] = new Map();
  const server: Server<undefined> = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      const { pathname, search } = new URL(request.url);
      const region = /Credential=[^/]+\/\d{8}\/([^/]+)\//.exec(request.headers.get("authorization") ?? "")?.[1];
      const entry: Seen = { method: request.method, url: `${pathname}${search}`, headers: request.headers, region };
      const body = new Uint8Array(await request.arrayBuffer());
      seen.push(entry);
      const spoiled = await spoil?.(entry, seen.length - 1);
      if (spoiled) return spoiled;
      if (search.includes("list-type=2")) return listing(objects, new URLSearchParams(search).get("prefix") ?? "");
      const present = objects.get(pathname);
      switch (request.method) {
        case "PUT":
          if (present && request.headers.has("if-none-match") && !ignoresPreconditions)
            return s3Error(412, "PreconditionFailed");
          objects.set(pathname, body);
          return new Response(null, { headers: { etag: '"x"' } });
        case "DELETE":
          objects.delete(pathname);
          return new Response(null, { status: 204 });
        default:
          return present ? new Response(present, { headers: { etag: '"x"' } }) : s3Error(404, "NoSuchKey");
      }
    },
  });
  const endpoint = `http://127.0.0.1:${server.port}`;
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
