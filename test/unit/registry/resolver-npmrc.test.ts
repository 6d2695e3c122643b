// biome-ignore-all lint/suspicious/noTemplateCurlyInString: npm writes variables like that
import { describe, expect, test } from "bun:test";
import { configure, configureUser, failureOf, makeHome, serve } from "./support.ts";

describe("the configuration for bun", () => {
  test("holds registries, scopes and references, never a token", () => {
    const configuration = configureUser(
      [
        "registry=https://a.example/npm",
        "@s:registry=https://s.example",
        "@p:registry=https://a.example/npm/private",
        "//a.example/:_authToken=canary-a",
        `//s.example/:_auth=${btoa("user:canary-s")}`,
        "//elsewhere.example/:_authToken=canary-e",
        "https-proxy=http://u:canary-p@proxy.example",
        "noproxy=b.example",
      ].join("\n"),
      { NODE_EXTRA_CA_CERTS: "/etc/extra.pem" },
    );
    const { npmrc, env } = configuration.forResolver();
    expect(npmrc).toBe(
      [
        "registry=https://a.example/npm/",
        "@p:registry=https://a.example/npm/private/",
        "@s:registry=https://s.example/",
        "//a.example/npm/:_authToken=${CSP_TOKEN_1}",
        "//a.example/npm/private/:_authToken=${CSP_TOKEN_2}",
        "//s.example/:_auth=${CSP_TOKEN_3}",
        "",
      ].join("\n"),
    );
    expect(env).toEqual({
      CSP_TOKEN_1: "canary-a",
      CSP_TOKEN_2: "canary-a",
      CSP_TOKEN_3: btoa("user:canary-s"),
      HTTPS_PROXY: "http://u:canary-p@proxy.example/",
      HTTP_PROXY: "http://u:canary-p@proxy.example/",
      NO_PROXY: "b.example",
      NODE_EXTRA_CA_CERTS: "/etc/extra.pem",
    });
  });

  test("a variable that a needed registry lacks is an error; of others a warning", async () => {
    const npmrc = "@s:registry=https://s.example\n//s.example/:_authToken=${S_TOKEN}\n@u:registry=https://${U_HOST}/";
    const configuration = configureUser(npmrc);
    expect((await failureOf(() => configuration.forResolver(["@s/q"]))).message).toContain("`S_TOKEN`");
    const lines = configureUser(npmrc).forResolver(["q"]).npmrc.split("\n");
    expect(lines).toContain("@s:registry=https://s.example/");
    // Never from the default registry, where anybody may have published under that name.
    expect(lines.find((line) => line.startsWith("@u:registry="))).toMatch(/\.invalid\/$/);
  });

  test("`strict-ssl=false` reaches bun", () => {
    expect(configureUser("strict-ssl=false").forResolver().env).toEqual({ NODE_TLS_REJECT_UNAUTHORIZED: "0" });
  });

  test("the same registries for people, without secrets", () => {
    const configuration = configureUser(
      "registry=https://a.example\n@s:registry=https://s.example\n//a.example/:_authToken=canary\n//s.example/:_authToken=${NOPE}",
    );
    const registries = configuration.registries();
    expect(registries.map(({ scope, url, authentication }) => [scope, url, authentication])).toEqual([
      [undefined, "https://a.example/", "token"],
      ["@s", "https://s.example/", "unusable"],
    ]);
    expect(JSON.stringify(registries)).not.toContain("canary");
  });

  test("bun sends each registry its own credentials and nothing to others", async () => {
    using server = serve((request) => {
      const name = decodeURIComponent(new URL(request.url).pathname.split("/").slice(2).join("/"));
      const dist = { tarball: "http://127.0.0.1:9/x.tgz", integrity: `sha512-${Buffer.alloc(64).toString("base64")}` };
      return Response.json({
        name,
        "dist-tags": { latest: "1.0.0" },
        versions: { "1.0.0": { name, version: "1.0.0", dist } },
      });
    });
    using home = makeHome({
      "home/.npmrc": [
        `registry=${server.url}one`,
        `@s:registry=${server.url}two`,
        `@t:registry=${server.url}three`,
        `//${server.host}/one/:_authToken=t;1$`.replace(";", "\\;"),
        `//${server.host}/two/:username=u`,
        `//${server.host}/two/:_password=${btoa("p:w")}`,
      ].join("\n"),
      "work/package.json": JSON.stringify({ dependencies: { a: "1.0.0", "@s/a": "1.0.0", "@t/a": "1.0.0" } }),
    });
    const { npmrc, env } = configure(home).forResolver();
    const file = home.write("work/userrc", npmrc);
    const run = Bun.spawn([process.execPath, "--config=/dev/null", "install", "--lockfile-only", "--ignore-scripts"], {
      cwd: `${home.directory}/work`,
      env: {
        ...env,
        HOME: home.home,
        XDG_CONFIG_HOME: `${home.directory}/xdg`,
        NPM_CONFIG_USERCONFIG: file,
        BUN_INSTALL_CACHE_DIR: `${home.directory}/cache`,
      },
      stdout: "ignore",
      stderr: "pipe",
    });
    const stderr = await new Response(run.stderr).text();
    expect([await run.exited, stderr]).toEqual([0, expect.any(String)]);
    expect(server.seen.map(({ path, headers }) => [path, headers.get("authorization")]).sort()).toEqual([
      ["/one/a", "Bearer t;1$"],
      ["/three/@t%2fa", null],
      ["/two/@s%2fa", `Basic ${btoa("u:p:w")}`],
    ]);
  });
});
