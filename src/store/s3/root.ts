/**
 * The root of a store in a bucket: objects `root/1`, `root/2`, … that are created only if absent and never removed, so that
 * they have no gaps. The newest is the root. `root/latest` says where to begin looking; it may lag, be missing or wrong.
 */
import { isCspError } from "../../core/errors.ts";
import { badAnswer, readOnly } from "../failures.ts";
import { type Capabilities, type Root, type RootState, randomNonce } from "../store.ts";
import { bodyOf, markHeader, putObject } from "./blobs.ts";
import type { S3Client } from "./client.ts";
import { stranger } from "./failures.ts";

const longestRoot = 64 << 20;
const action = "read the root";

/** `capabilities` is asked before the first swap: where preconditions are ignored a swap would overwrite. */
export function s3Root(client: S3Client, capabilities: () => Promise<Capabilities>): Root {
  const { address } = client;
  /** The highest number that is known to be there. */
  let highest = 0;

  const read = async (n: number): Promise<RootState | undefined> => {
    const key = `root/${n}`;
    const answer = await client.send({ method: "GET", key, maxBytes: longestRoot, action, expect: [200, 404] });
    if (answer.status === 404) return undefined;
    highest = Math.max(highest, n);
    return { version: String(n), text: decoded(client, bodyOf(client, answer, longestRoot)) };
  };

  const exists = async (n: number): Promise<boolean> => {
    const answer = await client.send({ method: "HEAD", key: `root/${n}`, action, expect: [200, 404] });
    if (answer.status === 200) highest = Math.max(highest, n);
    return answer.status === 200;
  };

  /** Whether the object there is the one that was refused: `fetch` sends a request again by itself where a connection breaks. */
  const hasMark = async (n: number, mark: string): Promise<boolean> => {
    const answer = await client.send({ method: "HEAD", key: `root/${n}`, action, expect: [200, 404] });
    return answer.status === 200 && answer.headers.get(markHeader) === mark;
  };

  /** The hint, where it leads to a root behind `low`. What somebody else put there, however long, is no hint. */
  const hinted = async (low: number): Promise<RootState | undefined> => {
    const request = { method: "GET", key: "root/latest", maxBytes: 100, action, expect: [200, 404] } as const;
    const answer = await client.send(request).catch((error: unknown) => {
      if (!isCspError(error, "CSP_STORE_ANSWER")) throw error;
    });
    const n = answer?.status === 200 ? numberOf(new TextDecoder().decode(answer.body).trim()) : undefined;
    return n !== undefined && n > low ? await read(n) : undefined;
  };

  /** The newest root, given one that is there (or none, before the first). */
  const newest = async (from: RootState | undefined): Promise<RootState | undefined> => {
    const low = Number(from?.version ?? 0);
    const next = await read(low + 1);
    if (next === undefined) return from;
    // Far behind: double the step until there is none, then halve the gap.
    let there = low + 1;
    let step = 1;
    while (await exists(there + step)) {
      there += step;
      step *= 2;
    }
    let absent = there + step;
    while (absent - there > 1) {
      const middle = there + Math.floor((absent - there) / 2);
      if (await exists(middle)) there = middle;
      else absent = middle;
    }
    return there === low + 1 ? next : await read(there);
  };

  return {
    async read(known) {
      const n = known === undefined ? undefined : numberOf(known);
      if (n === undefined) return newest(await hinted(0));
      const next = await read(n + 1);
      if (next === undefined) return "unchanged";
      // One change is the rule; only behind more of them is the hint worth its request.
      const second = await read(n + 2);
      return second === undefined ? next : newest((await hinted(n + 2)) ?? second);
    },

    async swap(expected, text) {
      const n = expected === undefined ? 0 : numberOf(expected);
      if (n === undefined) return undefined;
      const { writers, why } = await capabilities();
      if (writers !== "many") throw readOnly(address.text, why ?? "it cannot keep writers apart");
      // A number that comes from elsewhere must not leave a gap.
      if (n > highest && !(await exists(n))) return undefined;
      const next = n + 1;
      const mark = await randomNonce();
      const json = { type: "application/json", ifAbsent: true, action: "write the root", mark };
      const isWritten = await putObject(client, `root/${next}`, new TextEncoder().encode(text), json);
      if (!isWritten && !(await hasMark(next, mark))) return undefined;
      highest = Math.max(highest, next);
      await leaveHint(client, next);
      return String(next);
    },
  };
}

/** Best effort: readers go on from whatever it says. */
async function leaveHint(client: S3Client, n: number): Promise<void> {
  const plain = { type: "text/plain", ifAbsent: false, action: "write the root" };
  await putObject(client, "root/latest", new TextEncoder().encode(String(n)), plain).catch(() => {});
}

function numberOf(version: string): number | undefined {
  return /^[1-9]\d{0,14}$/.test(version) ? Number(version) : undefined;
}

function decoded({ address }: S3Client, bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw badAnswer(address.text, "has a root that is no text", stranger);
  }
}
