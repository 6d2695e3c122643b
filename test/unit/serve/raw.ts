/** A client that writes bytes of its own choice. */
import { connect, type Socket } from "node:net";

export interface Exchange {
  /** All that came until the server closed, or until `done`. */
  text: string;
  /** Milliseconds until then. */
  ms: number;
  closed: boolean;
}

/** Connects, lets `drive` write, and waits until the server closes, `done` matches, or 4 s are over. */
export function exchange(url: string, drive: (socket: Socket) => void, done?: RegExp): Promise<Exchange> {
  const { hostname, port } = new URL(url);
  const begun = performance.now();
  return new Promise((resolve) => {
    let text = "";
    const socket = connect(Number(port), hostname, () => drive(socket));
    const end = (closed: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ text, ms: performance.now() - begun, closed });
    };
    const timer = setTimeout(() => end(false), 4000);
    socket.on("data", (bytes) => {
      text += bytes.toString("latin1");
      if (done?.test(text)) end(false);
    });
    socket.on("close", () => end(true));
    socket.on("error", () => {});
  });
}

/** Sends one request as it is, with `Connection: close`, and gives the whole answer. */
export async function send(url: string, line: string, headers: readonly string[] = [], body = ""): Promise<string> {
  const head = [line, "Host: x", "Connection: close", ...headers, "", ""].join("\r\n");
  return (await exchange(url, (socket) => socket.write(head + body))).text;
}

/** The status of an answer. */
export function statusOf(text: string): number {
  return Number(/^HTTP\/1\.1 (\d{3}) /.exec(text)?.[1]);
}

/** Writes `data` again every `ms` milliseconds until the socket is closed. */
export function drip(socket: Socket, data: string, ms: number): void {
  const timer = setInterval(() => socket.write(data), ms);
  socket.on("close", () => clearInterval(timer));
}
