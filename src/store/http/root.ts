/** The root behind `csp serve`: versions are entity tags, a swap is a PUT with a precondition. */
import { isCspError } from "../../core/errors.ts";
import type { HttpAnswer } from "../../net/http.ts";
import { badAnswer, readOnly } from "../failures.ts";
import type { Root, RootState, Version } from "../store.ts";
import { type Mode, serveHeader } from "./mode.ts";
import type { Remote } from "./request.ts";
import { readStaticRoot, staticNumber } from "./static.ts";
import { maxRootBytes, rootText } from "./text.ts";

/** What answers, asked once; `again` asks anew. */
export interface ModeFinder {
  find(): Promise<Mode>;
  again(): Promise<Mode>;
}

const prefix = "etag:";
/** Longest wait in one request: proxies often give up on a silent server after a minute. */
const longestWaitMs = 45_000;

export const plainCopy = "it is a plain copy of a directory store; `csp serve` is what can be written to";

export function createHttpRoot(remote: Remote, mode: ModeFinder): Root {
  const { address } = remote;

  /** In a plain copy `root` is a folder, of which web servers show a list, or refuse to. */
  const orReplaced = async (error: unknown): Promise<"replaced"> => {
    if (!isCspError(error, "CSP_STORE_ANSWER") && !isCspError(error, "CSP_STORE_DENIED")) throw error;
    const now = await mode.again().catch(() => undefined);
    if (now?.kind === "static") return "replaced";
    throw error;
  };

  /** Says "replaced" where a plain copy answers in the place of `csp serve`. */
  const readServed = async (tag: string | undefined, wait: number): Promise<Served> => {
    const seconds = Math.round(Math.min(wait, longestWaitMs) / 1000);
    const asking = remote.ask({
      method: "GET",
      path: "root",
      accept: tag === undefined ? [200, 404] : [200, 304, 404],
      action: "show its root",
      maxBytes: maxRootBytes,
      patienceMs: seconds * 1000,
      headers: {
        "cache-control": "no-cache",
        ...(tag === undefined ? {} : { "if-none-match": `"${tag}"` }),
        ...(seconds === 0 ? {} : { prefer: `wait=${seconds}` }),
      },
    });
    const answer = await asking.catch(orReplaced);
    if (answer === "replaced") return answer;
    if (answer.status === 304) return answer.headers.has("preference-applied") ? "waited" : "unchanged";
    if (answer.status === 200) return { version: versionOf(address, answer), text: rootText(address, answer.body) };
    return answer.headers.has(serveHeader) ? undefined : "replaced";
  };

  const read: Root["read"] = async (known, { wait = 0 } = {}) => {
    const until = performance.now() + wait;
    const number = staticNumber(known);
    const tag = known?.startsWith(prefix) ? known.slice(prefix.length) : undefined;
    let kind = number !== undefined ? "static" : tag !== undefined ? "serve" : (await mode.find()).kind;
    for (let asked = 0; ; ) {
      const left = Math.max(0, until - performance.now());
      const answer =
        kind === "static" ? await readStaticRoot(remote, number) : await readServed(tag, tag === undefined ? 0 : left);
      if (answer === "replaced") {
        const other = (await mode.again()).kind;
        // Nothing there, and still what it was: there is no root.
        if (other === kind) return undefined;
        if (++asked > 1) throw badAnswer(address, "is now `csp serve`, now a plain copy");
        kind = other;
      } else if (answer !== "waited") return answer;
      else if (until - performance.now() < 1000) return "unchanged";
    }
  };

  return {
    read,
    async swap(expected, text) {
      if ((await mode.find()).kind === "static") throw readOnly(address, plainCopy);
      const tag = expected?.startsWith(prefix) ? expected.slice(prefix.length) : undefined;
      // A version that is none of these is not the present one.
      if (expected !== undefined && tag === undefined) return undefined;
      const answer = await remote.ask({
        method: "PUT",
        path: "root",
        accept: [200, 201, 204, 409, 412],
        action: "replace its root",
        headers: {
          "content-type": "application/json",
          ...(tag === undefined ? { "if-none-match": "*" } : { "if-match": `"${tag}"` }),
        },
        body: new TextEncoder().encode(text),
      });
      return answer.status === 409 || answer.status === 412 ? undefined : versionOf(address, answer);
    },
  };
}

type Served = RootState | "unchanged" | "waited" | "replaced" | undefined;

/** A weak tag is what proxies make of a strong one; what it names is the same. */
function versionOf(address: string, { headers }: HttpAnswer): Version {
  const tag = /^(?:W\/)?"([\x21\x23-\x7e]{1,190})"$/.exec(headers.get("etag") ?? "")?.[1];
  if (tag === undefined) throw badAnswer(address, "does not say which version its root has");
  return `${prefix}${tag}`;
}
