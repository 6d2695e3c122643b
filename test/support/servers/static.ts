/** A plain web server over a directory, as people use for copies. */
import { statSync } from "node:fs";
import { join } from "node:path";

export interface StaticServer {
  /** `http://127.0.0.1:<port>`. */
  url: string;
  /** `GET /root/1`, in the order they came. */
  readonly seen: string[];
  stop(): void;
}

export interface StaticOptions {
  /** What is said of what is not there. Default 404; 200 is a page that says so, as of some hosts of web applications. */
  missing?: 404 | 403 | 200;
}

/** Serves what lies there at the time of each request; a folder is a page that lists it. */
export function startStatic(directory: string, { missing = 404 }: StaticOptions = {}): StaticServer {
  const seen: string[] = [];
  const page = (status: number): Response =>
    new Response("<!doctype html><title>Index</title>", { status, headers: { "content-type": "text/html" } });
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request) {
      const { pathname } = new URL(request.url);
      seen.push(`${request.method} ${pathname}`);
      const path = join(directory, pathname);
      const stat = statSync(path, { throwIfNoEntry: false });
      if (request.method !== "GET" && request.method !== "HEAD") return new Response("", { status: 405 });
      if (stat?.isDirectory()) return page(200);
      return stat === undefined ? page(missing) : new Response(Bun.file(path));
    },
  });
  return { url: `http://127.0.0.1:${server.port}`, seen, stop: () => void server.stop(true) };
}
