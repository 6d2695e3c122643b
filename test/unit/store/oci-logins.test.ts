/** Logging in to a real registry: with passwords and tokens, out of the files and programs that other tools use. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { hasRegistry, type Registry, startRegistry, users } from "../../support/servers/docker-registry.ts";
import { makeTemp, removeTree } from "../../support/temp.ts";
import { bytesOf, codeOf, newKey, putNew } from "./objects.ts";
import { openAt, startGate } from "./oci-fixture.ts";

const folder = makeTemp();
let folders = 0;
afterAll(() => removeTree(folder));

/** The environment with a Docker configuration of this content. */
function configured(config: object): Record<string, string> {
  const path = join(folder, String(++folders));
  mkdirSync(path);
  writeFileSync(join(path, "config.json"), JSON.stringify(config));
  return { DOCKER_CONFIG: path };
}

/** The same with a program `docker-credential-test`, a shell script. */
function withHelper(config: object, script: string): Record<string, string> {
  const env = configured(config);
  const program = join(env.DOCKER_CONFIG as string, "docker-credential-test");
  writeFileSync(program, `#!/bin/sh\n${script}\n`);
  chmodSync(program, 0o755);
  return { ...env, PATH: `${env.DOCKER_CONFIG}:/usr/bin:/bin` };
}

const answer = (username: string, secret: string): string =>
  `test "$1" = get || exit 9; read -r server; printf '{"ServerURL":"%s","Username":"${username}","Secret":"${secret}"}' "$server"`;

function encoded(name: keyof typeof users): string {
  return Buffer.from(`${name}:${users[name]}`).toString("base64");
}

if (hasRegistry() && Bun.which("openssl") !== null) {
  describe("a registry with passwords", passwords);
  describe("a registry with tokens", tokens);
} else {
  test.skip("logging in to a real registry (needs docker-registry, openssl)", () => {});
}

function passwords(): void {
  let registry: Registry;
  beforeAll(async () => {
    registry = await startRegistry({ auth: "basic" });
  });
  afterAll(() => registry.stop());

  test("refuses those without and with a wrong one, who are told so and shown nothing", async () => {
    const wrong = configured({ auths: { [registry.host]: { auth: btoa("writer:s3cret-and-wrong") } } });
    for (const env of [{}, wrong]) {
      const store = openAt(registry.newAddress(), env);
      const key = await newKey(store, bytesOf(10, 1));
      for (const attempt of [
        () => store.root.read(),
        () => store.root.read("x"),
        () => store.blobs.size(key),
        () => store.blobs.put(key, bytesOf(10, 1)),
      ]) {
        const error = await attempt().catch((problem: unknown) => problem as Error & { hint: string });
        expect(error).toMatchObject({ code: "CSP_STORE_DENIED" });
        expect(JSON.stringify([error, String(error), (error as { hint: string }).hint])).not.toMatch(/s3cret/);
      }
      expect((await store.capabilities()).writers).toBe("none");
    }
  });

  test("is asked once where nothing changed", async () => {
    const gate = startGate(registry.host, () => undefined);
    const env = configured({ auths: { [gate.host]: { auth: encoded("writer") } } });
    const address = registry.newAddress().replace(registry.host, gate.host);
    const version = await openAt(address, env).root.swap(undefined, "{}");
    const before = gate.seen.length;
    expect(await openAt(address, env).root.read(version)).toBe("unchanged");
    expect(gate.seen.length - before).toBe(1);
    gate.stop();
  });

  test("takes them from wherever they are kept", async () => {
    const { host } = registry;
    const address = registry.newAddress();
    const runtime = join(folder, "runtime");
    mkdirSync(join(runtime, "containers"), { recursive: true });
    const repository = address.replace("oci://", "");
    const auths = { [host]: { auth: btoa("writer:wrong") }, [repository]: { auth: encoded("writer") } };
    writeFileSync(join(runtime, "containers/auth.json"), JSON.stringify({ auths }));
    const places = [
      configured({ auths: { [`https://${host}/v1/`]: { auth: encoded("writer") } } }),
      configured({ auths: { [host]: { username: "writer", password: users.writer } } }),
      { XDG_RUNTIME_DIR: runtime },
      { REGISTRY_AUTH_FILE: join(runtime, "containers/auth.json"), ...configured({ auths: { [host]: {} } }) },
      withHelper({ credsStore: "test" }, answer("reader", users.reader)),
      withHelper({ credHelpers: { [host]: "test" }, credsStore: "absent" }, answer("reader", users.reader)),
      withHelper(
        { credsStore: "test", auths: { [host]: { auth: encoded("writer") } } },
        "echo credentials not found in native keychain; exit 1",
      ),
    ];
    for (const env of places) expect(await openAt(address, env).root.read()).toBeUndefined();
    const home = join(folder, "home");
    mkdirSync(join(home, ".docker"), { recursive: true });
    writeFileSync(
      join(home, ".docker/config.json"),
      JSON.stringify({ auths: { [host]: { auth: encoded("writer") } } }),
    );
    expect(await openAt(address, {}, {}, { home }).root.read()).toBeUndefined();
    const others = configured({
      auths: { [`${repository}-2`]: { auth: encoded("writer") }, [`x${host}`]: { auth: encoded("writer") } },
    });
    expect(await codeOf(openAt(address, others).root.read())).toBe("CSP_STORE_DENIED");
  });

  test("says what is wrong with the files and programs, without their secrets", async () => {
    const { host } = registry;
    const bad = [
      configured({ auths: { [host]: { auth: btoa("s3cret without colon") } } }),
      configured({ auths: { [host]: { auth: btoa("writer:s3cret\r\nx: y") } } }),
      configured({ auths: { [host]: { identitytoken: "s3cret\nx" } } }),
      configured({ credsStore: "absent" }),
      configured({ credsStore: "../../evil" }),
      withHelper({ credsStore: "test" }, "echo s3cret; exit 3"),
      withHelper({ credsStore: "test" }, "echo s3cret"),
      withHelper({ credsStore: "test" }, "kill -9 $$"),
    ];
    const broken = configured({});
    writeFileSync(join(broken.DOCKER_CONFIG as string, "config.json"), "{s3cret");
    for (const env of [...bad, broken]) {
      const error = await openAt(registry.newAddress(), env)
        .root.read()
        .catch((problem: unknown) => problem);
      expect(error).toMatchObject({ code: "CSP_STORE_SETTINGS" });
      const { message, hint, details } = error as { message: string; hint: string; details: string[] };
      expect([message, hint, ...details].join("\n")).not.toMatch(/s3cret/);
    }
  });

  test("is asked with new ones once a program has others", async () => {
    const count = join(folder, "count");
    writeFileSync(count, "");
    const script = `test -s ${count} && { ${answer("writer", users.writer)}; exit 0; }; echo x > ${count}; ${answer("writer", "of yesterday")}`;
    const store = openAt(registry.newAddress(), withHelper({ credsStore: "test" }, script));
    expect(await store.root.read()).toBeUndefined();
  });
}

function tokens(): void {
  let registry: Registry;
  beforeAll(async () => {
    registry = await startRegistry({ auth: "token" });
  });
  afterAll(() => registry.stop());
  const asked = () => registry.tokens?.seen ?? [];

  test("gives one for what is done, and it lasts", async () => {
    const store = openAt(registry.newAddress(), registry.env("writer"));
    const before = asked().length;
    expect(await store.root.read()).toBeUndefined();
    expect(await store.root.read()).toBeUndefined();
    const scopes = () =>
      asked()
        .slice(before)
        .map(({ scope }) => scope.replace(/\d+/, "N"));
    expect(scopes()).toEqual(["repository:team/store-N:pull"]);
    const keys = await Promise.all([1, 2, 3, 4].map((seed) => putNew(store, bytesOf(100, seed))));
    await store.blobs.delete(keys[0] as string);
    expect(scopes().map((scope) => scope.split(":")[2])).toEqual(["pull", "pull,push", "pull,push,delete"]);
  });

  test("lets a reader read, and says why it cannot write", async () => {
    const address = registry.newAddress();
    const writer = openAt(address, registry.env("writer"));
    const key = await putNew(writer, bytesOf(100, 1));
    const version = await writer.root.swap(undefined, "{}");
    const reader = openAt(address, registry.env("reader"));
    expect(await reader.root.read(version)).toBe("unchanged");
    expect((await reader.blobs.get(key, { maxBytes: 100 })).length).toBe(100);
    expect((await reader.capabilities()).writers).toBe("none");
    expect(await codeOf(putNew(reader, bytesOf(100, 2)))).toBe("CSP_STORE_DENIED");
    expect(await codeOf(reader.root.swap(version, "[]"))).toBe("CSP_STORE_DENIED");
  });

  test("takes refresh tokens, in files and from programs", async () => {
    const { host } = registry;
    for (const env of [
      configured({ auths: { [host]: { auth: btoa("00000000-0000:"), identitytoken: "refresh-writer" } } }),
      withHelper({ credsStore: "test" }, answer("<token>", "refresh-writer")),
    ]) {
      const store = openAt(registry.newAddress(), env);
      await putNew(store, bytesOf(100, 1));
      expect(asked().at(-1)).toMatchObject({ method: "POST", authorization: null, user: "writer" });
    }
  });

  test("refuses whom its service does not know", async () => {
    const wrong = configured({ auths: { [registry.host]: { auth: btoa("writer:wrong") } } });
    for (const env of [{}, wrong]) {
      const store = openAt(registry.newAddress(), env);
      expect(await codeOf(store.root.read())).toBe("CSP_STORE_DENIED");
    }
  });
}
