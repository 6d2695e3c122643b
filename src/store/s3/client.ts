/**
 * Signed requests to one bucket. What the caller cannot use becomes an error here, after what a second try may cure: a clock
 * that is off, credentials that expired, the wrong region, a conflict between conditional writes.
 */
import type { Http } from "../../net/http.ts";
import { badAnswer } from "../failures.ts";
import type { S3Address } from "./address.ts";
import type { CredentialSource } from "./credentials.ts";
import { expired, noAnswer, type S3Answer, s3Answer, s3Failure, stranger } from "./failures.ts";
import { type S3Settings, urlOf } from "./settings.ts";
import { type S3Credentials, signedHeaders } from "./sign.ts";

export interface S3Request {
  method: "GET" | "HEAD" | "PUT" | "DELETE";
  /** Under the prefix of the address; absent for the bucket itself. */
  key?: string;
  query?: Readonly<Record<string, string>>;
  headers?: Readonly<Record<string, string>>;
  body?: Uint8Array;
  maxBytes?: number;
  /** What is tried, for messages: completes "refused to …". */
  action: string;
  /** Statuses and error codes that are returned; others are thrown. 404 is only ever that of a missing key. */
  expect: readonly (number | string)[];
}

export interface S3Client {
  address: S3Address;
  send(request: S3Request): Promise<S3Answer>;
}

export interface S3ClientOptions {
  address: S3Address;
  settings: S3Settings;
  credentials: CredentialSource;
  http: Http;
  userAgent: string;
  signal: AbortSignal | undefined;
}

/** What a request is signed with. */
interface Attempt {
  using: S3Credentials;
  region: string;
  /** Milliseconds that the server's clock is ahead of this one. */
  skew: number;
}

/** Errors have XML bodies that may be longer than the small object that was asked for. */
const longestError = 1 << 16;
const mostConflicts = 6;
/** The services refuse what is more than 15 minutes off. */
const noticeableSkew = 10 * 60_000;

export function createS3Client({ address, settings, credentials, http, userAgent, signal }: S3ClientOptions): S3Client {
  let region = settings.region;
  let regionKnown = false;
  let skew = 0;
  let bucketSeen = false;

  const once = async (request: S3Request, { using, region, skew }: Attempt): Promise<S3Answer> => {
    const { method, body, query } = request;
    const key = request.key === undefined ? undefined : `${address.prefix}${request.key}`;
    const url = urlOf(settings, address.bucket, region, key, query);
    const scope = { region, service: "s3", at: Date.now() + skew } as const;
    const signed = signedHeaders({ method, url, headers: request.headers ?? {}, body }, using, scope);
    const answer = await http.send({
      method,
      url,
      headers: { ...signed, "user-agent": userAgent },
      ...(body === undefined ? {} : { body }),
      maxBytes: Math.max(request.maxBytes ?? 0, longestError),
    });
    if ("failed" in answer) throw noAnswer(address, answer);
    return s3Answer(answer);
  };

  /** True where the cause was found and removed, perhaps by another request meanwhile. */
  const isCured = async (answer: S3Answer, attempt: Attempt, tried: Set<string>): Promise<boolean> => {
    const { using } = attempt;
    const first = (what: string): boolean => !tried.has(what) && tried.add(what) !== undefined;
    if (answer.status === 403) {
      const off = Date.parse(answer.headers.get("date") ?? "") - Date.now();
      if (Math.abs(off - attempt.skew) > noticeableSkew && first("clock")) {
        skew = off;
        return true;
      }
    }
    const isElsewhere = answer.status >= 300 && answer.status <= 400 && answer.region !== undefined;
    if (isElsewhere && answer.region !== attempt.region && first("region")) {
      if (!regionKnown) region = answer.region as string;
      return region !== attempt.region;
    }
    // HEAD is answered without a code.
    const unsaid = answer.code === undefined && answer.status === 403 && using.expires !== undefined;
    const mayBeExpired = unsaid || expired.has(answer.code ?? "");
    return mayBeExpired && first("credentials") && (await credentials.other(using)) !== undefined;
  };

  const send = async (request: S3Request): Promise<S3Answer> => {
    const tried = new Set<string>();
    for (let conflicts = 0; ; ) {
      const attempt: Attempt = { using: await credentials.current(), region, skew };
      const answer = await once(request, attempt);
      if (answer.status === 409 && ++conflicts < mostConflicts) {
        await pause(25 * 2 ** conflicts * (0.5 + Math.random()), signal);
        continue;
      }
      if (await isCured(answer, attempt, tried)) continue;
      if (answer.status < 300) regionKnown = true;
      await examine(request, answer);
      return answer;
    }
  };

  /** Throws unless the answer is one that was expected and that comes from S3. */
  const examine = async (request: S3Request, answer: S3Answer): Promise<void> => {
    const { status, code } = answer;
    const expected = request.expect.includes(status) || (code !== undefined && request.expect.includes(code));
    if (!expected || code === "NoSuchBucket") throw s3Failure(address, answer, request.action, region);
    if (status === 404) {
      if (code === "NoSuchKey") bucketSeen = true;
      else if (request.method !== "HEAD") throw strange(address, "answered 404 in a way that S3 does not");
      // The answer to HEAD does not tell a missing key from a missing bucket.
      else if (!bucketSeen)
        await send({ ...request, method: "GET", headers: { range: "bytes=0-0" }, expect: [200, 206, 404, 416] });
    } else if (status < 300 && request.key !== undefined && request.method !== "DELETE") {
      const isPage = /^text\/html\b/i.test(answer.headers.get("content-type") ?? "");
      if (isPage || !answer.headers.has("etag")) throw strange(address, "answered with something that is not of S3");
      bucketSeen = true;
    }
  };

  return { address, send };
}

function strange(address: S3Address, problem: string) {
  return badAnswer(address.text, problem, stranger);
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  await Bun.sleep(ms);
  signal?.throwIfAborted();
}
