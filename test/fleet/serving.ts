/** A real `csp serve` over a directory. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { writeToken } from "../support/servers/serve.ts";
import type { World } from "./world.ts";

export interface Serving {
  url: string;
  port: number;
  /** Ends with the status of the process; a second call does nothing. */
  stop(): Promise<number>;
}

/** Serves the directory, writable with the world's token; on a free port unless told which. Its log is not read. */
export async function startServing(world: World, directory: string, port = 0): Promise<Serving> {
  const tokens = join(world.directory, "writers");
  writeFileSync(tokens, `${writeToken}\n`);
  const listen = ["--listen", `127.0.0.1:${port}`, "--access-log", "off"];
  const write = ["--writable", "--write-token-file", tokens];
  const child = world.start(["serve", "--store", directory, ...listen, ...write]);
  const ready = /^serving .+ at (http:\/\/127\.0\.0\.1:(\d+)), writable$/m;
  await child.shows("stdout", ready);
  const [, url = "", found = ""] = ready.exec(child.output().stdout) ?? [];
  return {
    url,
    port: Number(found),
    async stop() {
      child.signal("SIGTERM");
      return (await child.end).status;
    },
  };
}
