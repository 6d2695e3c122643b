/** Requests of the kind http: credentials, redirects, and what an answer means that no store would give. */
import type { CspError } from "../../core/errors.ts";
import { createHttp, type HttpAnswer, type HttpFailure } from "../../net/http.ts";
import { proxyFromEnvironment } from "../../net/proxy.ts";
import { sendFollowing } from "../../net/redirect.ts";
import { retryAfterMs } from "../../net/retry-after.ts";
import { badAnswer, denied, lastingAnswer, readOnly, unreachable } from "../failures.ts";
import type { StoreOptions } from "../store.ts";
import type { Token } from "./place.ts";

export interface Question {
  method: "GET" | "HEAD" | "PUT" | "DELETE";
  /** Below the store's address: `root`, a key. */
  path: string;
  headers?: Readonly<Record<string, string>>;
  body?: Uint8Array;
  /** Longest answer; default 64 KB. */
  maxBytes?: number;
  /** The statuses that mean something to the caller; all others are thrown. */
  accept: readonly number[];
  /** Completes "refused to …". */
  action: string;
  /** How long the server may think before it answers, beyond the usual. */
  patienceMs?: number;
}

/** A server, and the way there. */
export interface Remote {
  readonly address: string;
  /** An answer with one of the accepted statuses, whole and as it was stored. Throws all else. */
  ask(question: Question): Promise<HttpAnswer>;
  close(): void;
}

const usualTimeouts = { idleMs: 30_000, totalMs: 600_000 };

export function createRemote(base: string, token: Token, options: StoreOptions): Remote {
  const closing = new AbortController();
  const { signal, timeouts = usualTimeouts } = options;
  const http = createHttp({
    limits: timeouts,
    signal: signal === undefined ? closing.signal : AbortSignal.any([signal, closing.signal]),
    proxy: proxyFromEnvironment(options.env),
  });

  const send = async (question: Question): Promise<HttpAnswer | HttpFailure> => {
    const { method, path, body, maxBytes = 65_536, patienceMs = 0 } = question;
    const sent = token.current();
    const own: Record<string, string> = sent === undefined ? {} : { authorization: `Bearer ${sent}` };
    const request = {
      url: new URL(`${base}/${path}`),
      headers: { "user-agent": options.userAgent, ...question.headers },
      maxBytes,
      ...(body === undefined ? {} : { body }),
      ...(patienceMs === 0
        ? {}
        : { limits: { idleMs: timeouts.idleMs + patienceMs, totalMs: timeouts.totalMs + patienceMs } }),
    };
    if (method === "GET" || method === "HEAD") {
      const arrival = await sendFollowing(http, { ...request, method }, own);
      return "failed" in arrival ? arrival : arrival.answer;
    }
    return http.send({ ...request, method, headers: { ...request.headers, ...own } });
  };

  return {
    address: base,
    async ask(question) {
      let answer = await send(question);
      // A token that expired may have been replaced in its file meanwhile.
      if (!("failed" in answer) && answer.status === 401 && token.renew()) answer = await send(question);
      if ("failed" in answer) throw failure(base, answer);
      if (!question.accept.includes(answer.status))
        throw refusal(base, question, answer, token.current() !== undefined);
      if (answer.status === 200) checkBody(base, question, answer.headers);
      return answer;
    },
    close() {
      closing.abort(new Error("the store was closed"));
    },
  };
}

function failure(address: string, { failed, text }: HttpFailure): CspError {
  if (failed === "too long" || failed === "redirect") return lastingAnswer(address, text);
  if (failed === "malformed") return badAnswer(address, text);
  if (failed !== "tls") return unreachable(address, text);
  return unreachable(address, text, "name the file of your own authority in NODE_EXTRA_CA_CERTS, and check the clock");
}

function refusal(address: string, { action, method }: Question, answer: HttpAnswer, sentToken: boolean): CspError {
  const { status, headers } = answer;
  if (status === 401 || status === 403) {
    const hint = sentToken
      ? "check the token in CSP_STORE_TOKEN or CSP_STORE_TOKEN_FILE, and what it may do"
      : "set CSP_STORE_TOKEN, or CSP_STORE_TOKEN_FILE to a file that holds the token";
    return denied(address, `${action} (status ${status})`, hint);
  }
  if (status === 407) return unreachable(address, "is behind a proxy that asks for credentials (status 407)");
  if (status === 408 || status === 425 || status === 429 || (status >= 500 && status !== 501)) {
    const problem = status === 429 ? "asks for fewer requests (status 429)" : `failed with status ${status}`;
    return unreachable(address, problem, undefined, undefined, retryAfterMs(headers));
  }
  if (method !== "GET" && method !== "HEAD" && (status === 404 || status === 405 || status === 501)) {
    return readOnly(address, `it does not take changes (status ${status})`);
  }
  if (status === 413) return lastingAnswer(address, "takes no object of that size (status 413)");
  return lastingAnswer(address, `has the unexpected status ${status}`, notAStore);
}

const notAStore = "check that the address is that of `csp serve`, or of a copy of a directory store";

/** Throws where the body is not the stored bytes: packed by something in between, a sign-in page, of unknown length. */
function checkBody(address: string, { method }: Question, headers: Headers): void {
  const encoding = headers.get("content-encoding")?.trim().toLowerCase() ?? "identity";
  if (encoding !== "identity" && encoding !== "") {
    throw lastingAnswer(
      address,
      "packed its answer, which nobody asked for",
      "switch off compression in what lies in between",
    );
  }
  if (/^text\/html\b/i.test(headers.get("content-type") ?? "")) {
    throw badAnswer(address, "answered with a web page", "a proxy or a sign-in page may be in between");
  }
  const isDelimited = headers.has("content-length") || headers.has("transfer-encoding");
  if (method === "GET" && !isDelimited) throw lastingAnswer(address, "does not say where its answer ends");
}
