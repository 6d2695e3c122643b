/**
 * A registry on loopback that serves exactly the set, from memory, so that all peers install the same bytes from the
 * same place and no network's mood is measured. It is its own process:
 *
 *   bun bench/mirror.ts CACHE     prints its origin, and stops with its standard input
 *
 * `PUT /-/view` with a View as JSON chooses what the packuments show; it answers when that is so.
 */
import { onThisPlatform, tarballFile } from "./fill.ts";
import { baseView, packuments, tarballPath, type View } from "./packument.ts";
import { type PackageSet, readSet } from "./set.ts";

export interface Mirror {
  /** `http://127.0.0.1:<port>`. */
  origin: string;
  show(view: View): Promise<void>;
  stop(): void;
}

/** Starts the mirror's process and waits until it serves. */
export async function startMirror(cache: string): Promise<Mirror> {
  const child = Bun.spawn([process.execPath, import.meta.path, cache], { stdin: "pipe", stdout: "pipe" });
  const { value } = await child.stdout.getReader().read();
  if (value === undefined) throw new Error("the mirror did not start");
  const origin = new TextDecoder().decode(value).trim();
  return {
    origin,
    show: async (view) => void (await fetch(`${origin}/-/view`, { method: "PUT", body: JSON.stringify(view) })),
    stop: () => void child.stdin.end(),
  };
}

function notFound(): Response {
  return new Response("{}", { status: 404 });
}

async function serve(set: PackageSet, cache: string): Promise<void> {
  const tarballs: Record<string, Response> = {};
  for (const p of onThisPlatform([...set.packages, ...set.others])) {
    const body = await Bun.file(tarballFile(cache, p.integrity)).bytes();
    tarballs[tarballPath(p.name, p.version)] = new Response(body, {
      headers: { "content-type": "application/octet-stream" },
    });
  }
  let documents = new Map<string, string>();
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    routes: tarballs,
    async fetch(request): Promise<Response> {
      const path = decodeURIComponent(new URL(request.url).pathname).slice(1);
      if (path === "-/view" && request.method === "PUT") {
        documents = packuments(set, (await request.json()) as View, server.url.origin);
        return new Response();
      }
      const document = documents.get(path);
      return document === undefined
        ? notFound()
        : new Response(document, { headers: { "content-type": "application/json" } });
    },
  });
  documents = packuments(set, baseView, server.url.origin);
  console.log(server.url.origin);
  for await (const _ of Bun.stdin.stream());
  await server.stop(true);
}

if (import.meta.main) await serve(await readSet(), Bun.argv[2] ?? "");
