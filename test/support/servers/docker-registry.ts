/** A real OCI registry, Debian's docker-registry, on a free loopback port, in a temporary folder, open or with a login. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { unprivileged } from "../needs.ts";
import { makeTemp, removeTree } from "../temp.ts";
import { freePort, giveAway, tied } from "./postgres.ts";
import { startTokenServer, type TokenServer } from "./registry-tokens.ts";

export interface Registry {
  /** `127.0.0.1:<port>`. */
  host: string;
  /** The address of a repository that nobody used before. */
  newAddress(): string;
  /** Where credentials are taken that `users` names: DOCKER_CONFIG of a folder whose file has that user's. */
  env(user: keyof typeof users): Record<string, string>;
  /** Present with `auth: "token"`. */
  tokens: TokenServer | undefined;
  /** Runs the registry's own collection, which also takes what has no tag; gives what it prints. */
  collect(): string;
  stop(): Promise<void>;
}

export interface RegistryOptions {
  auth?: "basic" | "token";
  /** Default: true. Many registries are run without. */
  deletes?: boolean;
  /** Default: true, as Debian's configuration has it: the registry remembers which blobs it has. */
  remembers?: boolean;
}

/** Who may log in. The reader may only pull where tokens say so; in a password file all are equal. */
export const users = { writer: "p@ss:w/örd", reader: "another-passw0rd" } as const;

const patience = 20_000;

/** True where it is installed, and running servers for tests is not ruled out. */
export function hasRegistry(): boolean {
  return process.env.CSP_TEST_SERVERS !== "0" && Bun.which("docker-registry") !== null;
}

/** Starts one. Throws with its log where it does not answer. */
export async function startRegistry(options: RegistryOptions = {}): Promise<Registry> {
  // In memory where there is room for it: every object is several small files.
  const folder = existsSync("/dev/shm") ? mkdtempSync("/dev/shm/csp-registry-") : makeTemp("csp-registry-");
  const tokens = options.auth === "token" ? startTokenServer(users) : undefined;
  for (const name of ["data", ...Object.keys(users)]) mkdirSync(join(folder, name));
  const lines = Object.entries(users).map(
    ([name, password]) => `${name}:${Bun.password.hashSync(password, { algorithm: "bcrypt", cost: 4 })}`,
  );
  writeFileSync(join(folder, "htpasswd"), `${lines.join("\n")}\n`);
  if (tokens !== undefined) writeFileSync(join(folder, "tokens.pem"), tokens.certificate);

  for (let attempt = 1; ; attempt++) {
    const host = `127.0.0.1:${freePort()}`;
    const file = join(folder, "config.yml");
    writeFileSync(file, configuration(folder, host, options, tokens));
    for (const [name, password] of Object.entries(users)) {
      const auth = Buffer.from(`${name}:${password}`).toString("base64");
      writeFileSync(join(folder, name, "config.json"), JSON.stringify({ auths: { [host]: { auth } } }));
    }
    giveAway(folder);
    const log = join(folder, "log");
    const child = Bun.spawn([...tied(), "docker-registry", "serve", file], {
      cwd: folder,
      stdin: "ignore",
      stdout: "ignore",
      stderr: Bun.file(log),
    });
    const end = async (): Promise<void> => {
      child.kill("SIGKILL");
      await child.exited;
    };
    if (await answers(host, () => child.exitCode === null)) {
      let repositories = 0;
      return {
        host,
        tokens,
        newAddress: () => `oci://${host}/team/store-${++repositories}`,
        env: (user) => ({ DOCKER_CONFIG: join(folder, user) }),
        collect: () => collect(folder, file),
        async stop() {
          await end();
          tokens?.stop();
          removeTree(folder);
        },
      };
    }
    await end();
    if (attempt < 3) continue;
    const said = readFileSync(log, "utf8").slice(-2000);
    tokens?.stop();
    removeTree(folder);
    throw new Error(`docker-registry does not start: ${said}`);
  }
}

async function answers(host: string, isAlive: () => boolean): Promise<boolean> {
  const until = performance.now() + patience;
  while (isAlive() && performance.now() < until) {
    const answer = await fetch(`http://${host}/v2/`, { proxy: false } as unknown as BunFetchRequestInit).catch(
      () => {},
    );
    if (answer?.status === 200 || answer?.status === 401) return true;
    await Bun.sleep(20);
  }
  return false;
}

function collect(folder: string, file: string): string {
  const argv = [...unprivileged, "docker-registry", "garbage-collect", "--delete-untagged", file];
  const { status, stdout, stderr } = spawnSync(argv[0] as string, argv.slice(1), {
    cwd: folder,
    encoding: "utf8",
    timeout: 30_000,
  });
  if (status !== 0) throw new Error(`garbage-collect: ${stderr.slice(-2000)}`);
  return stdout;
}

function configuration(
  folder: string,
  host: string,
  { auth, deletes = true, remembers = true }: RegistryOptions,
  tokens: TokenServer | undefined,
): string {
  const logins =
    tokens !== undefined
      ? `auth: {token: {realm: "${tokens.realm}", service: "${tokens.service}", issuer: "${tokens.issuer}", rootcertbundle: "${folder}/tokens.pem"}}`
      : auth === "basic"
        ? `auth: {htpasswd: {realm: basic, path: "${folder}/htpasswd"}}`
        : "";
  return `version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage:
  filesystem: {rootdirectory: "${folder}/data"}
  delete: {enabled: ${deletes}}
${remembers ? "  cache: {blobdescriptor: inmemory}" : ""}
http: {addr: "${host}", secret: csp}
${logins}
`;
}
