/** A server of raw sockets, which answers as wrongly as it is told to. `faults.ts` is the same for the registry of scripts. */
import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { gzipSync } from "node:zlib";
import type { Certificate } from "./certificate.ts";

export interface RawRequest {
  method: string;
  /** With its query. */
  path: string;
  /** Names in lower case. */
  headers: Readonly<Record<string, string>>;
  /** How many requests for this path came before. */
  before: number;
}

/** Takes a request over. */
export type Fault = (socket: Socket, request: RawRequest) => void;

export interface FaultServer {
  /** `http://127.0.0.1:<port>`. */
  url: string;
  readonly seen: readonly RawRequest[];
  /** Requests in which the text occurs anywhere in the head. */
  saw(text: string): RawRequest[];
  stop(): void;
}

/** Listens on a free port of the loopback; `answer` says what happens to each request. */
export async function startFaultServer(
  answer: (request: RawRequest) => Fault,
  certificate?: Certificate,
): Promise<FaultServer> {
  const seen: RawRequest[] = [];
  const sockets = new Set<Socket>();
  const serve = (socket: Socket): void => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => {});
    readRequests(socket, (head) => {
      const request = { ...head, before: seen.filter(({ path }) => path === head.path).length };
      seen.push(request);
      answer(request)(socket, request);
    });
  };
  const server: Server = certificate === undefined ? createServer(serve) : createTlsServer(certificate, serve);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" ? address?.port : undefined;
  return {
    url: `${certificate === undefined ? "http" : "https"}://127.0.0.1:${port}`,
    seen,
    saw: (text) => seen.filter((request) => JSON.stringify(request).includes(text)),
    stop() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** Heads of requests one after the other; bodies are left out. */
function readRequests(socket: Socket, take: (head: Omit<RawRequest, "before">) => void): void {
  let text = "";
  let skip = 0;
  socket.on("data", (bytes: Buffer) => {
    text += bytes.toString("latin1");
    for (;;) {
      const body = Math.min(skip, text.length);
      text = text.slice(body);
      skip -= body;
      const end = text.indexOf("\r\n\r\n");
      if (skip > 0 || end < 0) return;
      const [first = "", ...lines] = text.slice(0, end).split("\r\n");
      text = text.slice(end + 4);
      const [method = "", path = ""] = first.split(" ");
      const headers = Object.fromEntries(
        lines.map((line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 1).trim()]),
      );
      skip = Number(headers["content-length"] ?? 0);
      take({ method, path, headers });
    }
  });
}

type Headers = Readonly<Record<string, string>>;

function head(status: number, headers: Headers): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} Whatever\r\n${lines.join("")}\r\n`;
}

/** A whole answer. A length is added unless one is given. */
export function reply(status: number, body: string | Uint8Array = "", headers: Headers = {}): Fault {
  const bytes = Buffer.from(body as string);
  return (socket, { method }) => {
    const hasBody = method !== "HEAD" && status !== 204 && status !== 304;
    const length = status === 204 || status === 304 ? {} : { "content-length": String(bytes.length) };
    socket.write(head(status, { ...length, ...headers }));
    if (hasBody) socket.write(bytes);
  };
}

/** Sends `data` again every `ms` milliseconds, for as long as somebody listens. */
function repeat(socket: Socket, data: string, ms: number): void {
  const timer = setInterval(() => socket.write(data, "latin1"), ms);
  socket.on("close", () => clearInterval(timer));
}

const chunked = { "transfer-encoding": "chunked" };

/** Ways to spoil the answer with this body. */
export const faults: Readonly<Record<string, (body: Uint8Array, headers: Headers) => Fault>> = {
  "closes at once": () => (socket) => void socket.destroy(),
  "says nothing": () => () => {},
  "stops within the head": () => (socket) => void socket.write("HTTP/1.1 200 OK\r\ncontent-"),
  "stops within the body": (body, headers) => (socket) => {
    socket.write(head(200, { "content-length": String(body.length + 10), ...headers }));
    socket.write(body);
  },
  "closes within the body": (body, headers) => (socket) => {
    socket.write(head(200, { "content-length": String(body.length + 10), ...headers }));
    socket.end(body);
  },
  "closes within the chunks": (body, headers) => (socket) => {
    socket.write(head(200, { ...chunked, ...headers }));
    socket.write(`${body.length.toString(16)}\r\n`);
    socket.end(body);
  },
  "does not say where it ends": (body, headers) => (socket) => {
    socket.write(head(200, headers));
    socket.end(body);
  },
  "never ends": (_, headers) => (socket) => {
    socket.write(head(200, { ...chunked, ...headers }));
    repeat(socket, `10000\r\n${"x".repeat(65_536)}\r\n`, 1);
  },
  "announces a terabyte": (_, headers) => reply(200, "x", { ...headers, "content-length": "1000000000000" }),
  drips: (body, headers) => (socket) => {
    socket.write(head(200, { "content-length": String(1_000_000 + body.length), ...headers }));
    repeat(socket, "x", 20);
  },
  "drips the head": () => (socket) => {
    socket.write("HTTP/1.1 200 OK\r\nx: ");
    repeat(socket, "x", 20);
  },
  "has a head without end": () => (socket) => {
    socket.write("HTTP/1.1 200 OK\r\n");
    repeat(socket, `x-${"y".repeat(1000)}: z\r\n`, 1);
  },
  "has two lengths": (body, headers) => (socket) => {
    socket.write(`HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: ${body.length}\r\n`);
    socket.write(head(200, headers).replace(/^.*\r\n/, ""));
    socket.write(body);
  },
  "is no web server": () => (socket) => void socket.end("220 mail.example ESMTP\r\n\x1b[31m\x00\xff\r\n"),
  "packs the answer": (body, headers) => reply(200, gzipSync(body), { ...headers, "content-encoding": "gzip" }),
  "shows a sign-in page": () => reply(200, "<!doctype html><title>Sign in</title>", { "content-type": "text/html" }),
  "redirects in a circle": () => (socket, request) => reply(302, "", { location: request.path })(socket, request),
  "redirects without end": () => (socket, request) =>
    reply(307, "", {
      location: `${request.path.split("?")[0]}?${request.path.length}${"x".repeat(request.path.length)}`,
    })(socket, request),
  "redirects nowhere": () => reply(302),
  "redirects to a file": () => reply(302, "", { location: "file:///etc/passwd" }),
  "sends a part": (body, headers) =>
    reply(206, body.slice(0, 2), { ...headers, "content-range": `bytes 0-1/${body.length}` }),
  "has no content": () => reply(204),
  "did not change": () => reply(304),
  "has an odd status": () => reply(299, "{}"),
  "has an error of any length": () => (socket) => {
    socket.write(head(500, chunked));
    repeat(socket, `10000\r\n${"x".repeat(65_536)}\r\n`, 1);
  },
  "fails with 500": () => reply(500, "\x1b[31mstack trace"),
  "fails with 503": () => reply(503, "", { "retry-after": "7" }),
  "wants fewer requests": () => reply(429, "", { "retry-after": "120" }),
  "is behind a proxy that asks": () => reply(407),
};
