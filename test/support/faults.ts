/** Ways in which a registry misbehaves. Each is one line of a script: `registry fault <path regexp> <kind> [arg]`. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { gzipSync } from "node:zlib";

export interface Answer {
  status: number;
  headers: Record<string, string>;
  body: Uint8Array;
}

/** One request that a fault may spoil. */
export interface Exchange {
  request: IncomingMessage;
  response: ServerResponse;
  /** What a healthy registry would say. */
  answer: Answer;
  arg: string | undefined;
  /** How often this fault met this path, from 1. */
  hits: number;
  /** Base URL of the other host, where the script has one. */
  other: string | undefined;
}

/** Gives the answer to send, or undefined where it took the response over. */
export type Fault = (exchange: Exchange) => Answer | undefined;

const kinds: Readonly<Record<string, Fault>> = {
  /** Accepts the request and never answers. */
  hang: () => undefined,
  /** Sends the head and half of the body, then nothing more. */
  "hang-body": (exchange) => half(exchange, () => {}),
  /** Promises the whole body, sends half and closes. */
  cut: (exchange) => half(exchange, () => exchange.response.socket?.destroy()),
  /** Promises no length, sends half and closes. */
  "cut-chunked": ({ response, answer }) => {
    response.writeHead(answer.status, without(answer.headers, "content-length"));
    response.write(firstHalf(answer.body), () => response.socket?.destroy());
    return undefined;
  },
  /** Closes the connection without a word. */
  reset: ({ response }) => {
    response.socket?.destroy();
    return undefined;
  },
  /** A complete answer that holds only half of the bytes. */
  "wrong-length": ({ answer }) => withBody(answer, firstHalf(answer.body)),
  /** As many bytes as promised, one of them flipped. */
  "wrong-bytes": ({ answer }) => {
    const body = Uint8Array.from(answer.body);
    const middle = body.length >> 1;
    body[middle] = (body[middle] ?? 0) ^ 1;
    return withBody(answer, body);
  },
  "extra-bytes": ({ answer }) => withBody(answer, Buffer.concat([answer.body, Buffer.from("more")])),
  empty: ({ answer }) => withBody(answer, new Uint8Array()),
  /** A captive portal. */
  html: () => plain(200, "text/html", "<!doctype html><title>Sign in</title><p>Please sign in to the network.</p>\n"),
  garbage: ({ answer }) => withBody(answer, Buffer.from("\x00\xff\x1b[31mgarbage\x07", "latin1")),
  /** Sends zero bytes for as long as the client reads. */
  endless: ({ response, answer }) => {
    response.writeHead(200, without(answer.headers, "content-length"));
    const chunk = new Uint8Array(1 << 16);
    const timer = setInterval(() => response.write(chunk), 1);
    response.on("close", () => clearInterval(timer));
    return undefined;
  },
  /** Whole and right, in 32 pieces, one every `arg` milliseconds (5). */
  drip: ({ response, answer, arg }) => {
    response.writeHead(answer.status, answer.headers);
    const step = Math.max(1, Math.ceil(answer.body.length / 32));
    let at = 0;
    const timer = setInterval(
      () => {
        response.write(answer.body.subarray(at, at + step));
        at += step;
        if (at < answer.body.length) return;
        clearInterval(timer);
        response.end();
      },
      Number(arg ?? 5),
    );
    response.on("close", () => clearInterval(timer));
    return undefined;
  },
  /** Whole and right, after `arg` milliseconds (100). */
  slow: ({ response, answer, arg }) => {
    const timer = setTimeout(() => send(response, answer), Number(arg ?? 100));
    response.on("close", () => clearTimeout(timer));
    return undefined;
  },
  /** A proxy that compresses what is compressed. */
  "gzip-encoded": ({ answer }) => {
    const packed = withBody(answer, gzipSync(answer.body));
    return { ...packed, headers: { ...packed.headers, "content-encoding": "gzip" } };
  },
  /** To `arg`, or to another path of the same host that serves the same. */
  redirect: ({ request, answer, arg }) =>
    request.url?.startsWith("/at/moved/") ? answer : redirect(arg ?? `/at/moved${request.url}`),
  "redirect-other-host": ({ request, other }) => {
    if (other === undefined) throw new Error("redirect-other-host needs the other host: use `other` or $OTHER");
    return redirect(`${other}${request.url}`);
  },
  "redirect-loop": ({ request }) => redirect(`${request.url}`),
  /** 401 unless the request carries `Bearer <arg>`. */
  "needs-token": ({ request, answer, arg }) =>
    request.headers.authorization === `Bearer ${arg}` ? answer : status(401, "authentication required"),
};

/**
 * The fault of that name: a kind above, `<4xx or 5xx>` (arg: the message) or `<4xx or 5xx>-then-ok` (arg: how often it
 * fails, once by default). Throws on any other name.
 */
export function faultOf(kind: string): Fault {
  const known = Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;
  if (known) return known;
  const match = /^([45]\d\d)(-then-ok)?$/.exec(kind);
  if (!match)
    throw new Error(`unknown fault ${kind}; known: <status>, <status>-then-ok, ${Object.keys(kinds).join(", ")}`);
  const code = Number(match[1]);
  if (!match[2]) return ({ arg }) => status(code, arg ?? `status ${code} on purpose`);
  return ({ answer, arg, hits }) => {
    if (hits > Number(arg ?? 1)) return answer;
    const failed = status(code, `status ${code} for now`);
    return { ...failed, headers: { ...failed.headers, "retry-after": "0" } };
  };
}

/** Sends a whole answer; the body of a HEAD request is left out. */
export function send(response: ServerResponse, answer: Answer): void {
  response.writeHead(answer.status, answer.headers);
  if (response.req.method === "HEAD") response.end();
  else response.end(answer.body);
}

/** An answer that says in JSON what is wrong. */
export function status(code: number, message: string): Answer {
  return plain(code, "application/json", `${JSON.stringify({ error: message })}\n`);
}

function plain(code: number, type: string, text: string): Answer {
  const body = Buffer.from(text);
  return { status: code, headers: { "content-type": type, "content-length": String(body.length) }, body };
}

function redirect(location: string): Answer {
  const answer = plain(302, "text/plain", "moved\n");
  return { ...answer, headers: { ...answer.headers, location } };
}

function withBody(answer: Answer, body: Uint8Array): Answer {
  return { ...answer, headers: { ...without(answer.headers, "etag"), "content-length": String(body.length) }, body };
}

function firstHalf(body: Uint8Array): Uint8Array {
  return body.subarray(0, body.length >> 1);
}

function half({ response, answer }: Exchange, then: () => void): undefined {
  response.writeHead(answer.status, answer.headers);
  response.write(firstHalf(answer.body), then);
}

function without(headers: Record<string, string>, name: string): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([key]) => key !== name));
}
