/** Loopback servers and configurations for the registry tests. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { CspError } from "../../../src/core/errors.ts";
import { createRegistryClient, type RegistryClient, type RegistryClientOptions } from "../../../src/registry/client.ts";
import { loadNpmConfiguration, type NpmConfiguration } from "../../../src/registry/config.ts";

export interface Seen {
  method: string;
  path: string;
  headers: Headers;
}

export interface TestServer extends Disposable {
  /** `http://127.0.0.1:<port>/` */
  url: string;
  host: string;
  seen: Seen[];
}

/** Serves with `answer`; `attempt` counts from 1. */
export function serve(answer: (request: Request, attempt: number) => Response | Promise<Response>): TestServer {
  const seen: Seen[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request) {
      const url = new URL(request.url);
      seen.push({ method: request.method, path: url.pathname + url.search, headers: request.headers });
      return answer(request, seen.length);
    },
  });
  const host = `127.0.0.1:${server.port}`;
  return { url: `http://${host}/`, host, seen, [Symbol.dispose]: () => void server.stop(true) };
}

/** Answers every connection's first data with raw bytes, then closes unless told to hang. `attempt` counts from 1. */
export function serveRaw(answer: (attempt: number) => { bytes: string; hang?: boolean }): TestServer {
  const seen: Seen[] = [];
  const server = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data(socket, data) {
        const [method = "", path = ""] = data.toString().split(" ");
        seen.push({ method, path, headers: new Headers() });
        const { bytes, hang } = answer(seen.length);
        socket.write(bytes);
        socket.flush();
        if (!hang) socket.end();
      },
    },
  });
  const host = `127.0.0.1:${server.port}`;
  return { url: `http://${host}/`, host, seen, [Symbol.dispose]: () => void server.stop(true) };
}

export interface TestHome extends Disposable {
  directory: string;
  project: string;
  home: string;
  /** A path inside the directory, with its folders made. */
  write(path: string, text: string): string;
}

/** A project and a home directory, empty but for the files given (`project/.npmrc`, `home/.npmrc`, …). */
export function makeHome(files: Readonly<Record<string, string>> = {}): TestHome {
  const directory = mkdtempSync(join(tmpdir(), "csp-registry-"));
  const write = (path: string, text: string): string => {
    const file = join(directory, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
    return file;
  };
  mkdirSync(join(directory, "project"));
  mkdirSync(join(directory, "home"));
  for (const [path, text] of Object.entries(files)) write(path, text);
  return {
    directory,
    project: join(directory, "project"),
    home: join(directory, "home"),
    write,
    [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }),
  };
}

/** Loads the configuration of a test home. The global file lies at `<home>/etc/npmrc`. */
export function configure(
  home: TestHome,
  env: Readonly<Record<string, string>> = {},
  more: Partial<Parameters<typeof loadNpmConfiguration>[0]> = {},
): NpmConfiguration {
  return loadNpmConfiguration({
    projectDir: home.project,
    home: home.home,
    env: { npm_config_prefix: home.directory, ...env },
    ...more,
  });
}

/** A configuration from a user's npmrc text alone. */
export function configureUser(npmrc: string, env: Readonly<Record<string, string>> = {}): NpmConfiguration {
  using home = makeHome({ "home/.npmrc": npmrc });
  return configure(home, env);
}

/** A client of one registry; fast pauses and limits. */
export function clientOf(npmrc: string, options: Partial<RegistryClientOptions> = {}): RegistryClient {
  return createRegistryClient({
    configuration: configureUser(npmrc),
    userAgent: "csp/test",
    timeouts: { idleMs: 10_000, totalMs: 20_000 },
    retries: 0,
    backoff: { baseMs: 1, maxMs: 5 },
    ...options,
  });
}

/** The CspError that a promise or function ends with. */
export async function failureOf(run: () => unknown): Promise<CspError> {
  try {
    await run();
  } catch (error) {
    if (error instanceof CspError) return error;
    throw error;
  }
  throw new Error("nothing failed");
}
