/** The route of the root: `/root`. */
import type { Version } from "../../store/store.ts";
import { type Answer, notFound, problem } from "./answer.ts";
import { lengthOf } from "./objects.ts";
import type { Asked, Served } from "./served.ts";

/** Longest root that is taken. */
const maxRootBytes = 64 * 1024 * 1024;

export async function answerRoot(served: Served, asked: Asked): Promise<Answer> {
  return asked.method === "PUT" ? put(served, asked) : get(served, asked);
}

async function get({ feed, limits }: Served, asked: Asked): Promise<Answer> {
  const known = asked.header("if-none-match")?.trim().replace(/^W\//, "");
  const wait = waitOf(asked.header("prefer"), limits.waitMs);
  const until = performance.now() + wait;
  for (;;) {
    const state = await feed.read();
    if (state === undefined) return notFound();
    const headers = {
      "content-type": "application/json; charset=utf-8",
      "cache-control": "private, no-cache",
      etag: tagOf(state.version),
      ...(wait === 0 ? {} : { "preference-applied": `wait=${Math.round(wait / 1000)}` }),
    };
    if (headers.etag !== known) return { status: 200, headers, body: state.text };
    const left = until - performance.now();
    if (left < 1 || feed.ended()) return { status: 304, headers };
    if (!(await feed.changed(state.version, left, asked.over))) return { status: 304, headers };
  }
}

async function put({ feed, budget }: Served, asked: Asked): Promise<Answer> {
  const [match, noneMatch] = [asked.header("if-match"), asked.header("if-none-match")];
  const expected = match === undefined ? undefined : versionOf(match);
  if ((match === undefined) === (noneMatch === undefined) || (noneMatch !== undefined && noneMatch.trim() !== "*")) {
    return problem(428, 'say `If-Match: "<version>"`, or `If-None-Match: *` for the first root');
  }
  if (match !== undefined && expected === undefined) return problem(412, "the root is another");
  const length = lengthOf(asked);
  if (length === undefined) return problem(411, "say how long the root is");
  if (length > maxRootBytes) return problem(413, `a root has at most ${maxRootBytes} bytes`);
  const held = await budget.reserve(length, 20_000);
  if (held === undefined) return problem(503, "too much is on its way", { "retry-after": "5" });
  try {
    const body = await asked.body(length);
    const text = body === undefined ? undefined : textOf(body);
    if (text === undefined) return problem(400, "the body is not whole, or no UTF-8");
    const version = await feed.swap(expected, text);
    return version === undefined
      ? problem(412, "the root is another")
      : { status: 204, headers: { etag: tagOf(version) } };
  } finally {
    held.release();
  }
}

function textOf(body: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body);
  } catch {
    return undefined;
  }
}

/** `wait=<seconds>` of a `Prefer`, in milliseconds, bounded. */
function waitOf(prefer: string | undefined, longestMs: number): number {
  const seconds = /(?:^|[,;\s])wait=(\d{1,5})(?=$|[,;\s])/i.exec(prefer ?? "")?.[1];
  return seconds === undefined ? 0 : Math.min(Number(seconds) * 1000, longestMs);
}

/** A version as an entity tag: what may not stand in one is percent-encoded. */
export function tagOf(version: Version): string {
  return `"${version.replace(/[^!#$&-~]/gu, encodeURIComponent)}"`;
}

/** The version in an entity tag; undefined for what `tagOf` does not give. */
export function versionOf(tag: string): Version | undefined {
  const text = /^(?:W\/)?"([!\x23-\x7e]{1,1000})"$/.exec(tag.trim())?.[1];
  try {
    return text === undefined ? undefined : decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
