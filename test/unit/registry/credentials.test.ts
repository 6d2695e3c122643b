// biome-ignore-all lint/suspicious/noTemplateCurlyInString: npm writes variables like that
import { describe, expect, test } from "bun:test";
import { tokenKey } from "../../../src/registry/credentials.ts";
import { configure, configureUser, failureOf, makeHome } from "./support.ts";

const basic = (text: string): string => `Basic ${Buffer.from(text).toString("base64")}`;

describe("credentials", () => {
  const cases: [what: string, npmrc: string, url: string, header: string | undefined][] = [
    ["token", "//a.example/:_authToken=t", "https://a.example/x", "Bearer t"],
    ["key without a slash", "//a.example:_authToken=t", "https://a.example/x", "Bearer t"],
    ["path", "//a.example/npm/:_authToken=t", "https://a.example/npm/@s%2fq", "Bearer t"],
    ["path without a slash", "//a.example/npm:_authToken=t", "https://a.example/npm/q", "Bearer t"],
    ["the registry itself", "//a.example/npm/:_authToken=t", "https://a.example/npm/", "Bearer t"],
    ["port", "//a.example:81/:_authToken=t", "https://a.example:81/x", "Bearer t"],
    [
      "the longest path wins",
      "//a.example/:_authToken=t\n//a.example/npm/:_authToken=u",
      "https://a.example/npm/q",
      "Bearer u",
    ],
    [
      "whatever the order",
      "//a.example/npm/:_authToken=u\n//a.example/:_authToken=t",
      "https://a.example/npm/q",
      "Bearer u",
    ],
    [
      "an empty longer one does not count",
      "//a.example/:_authToken=t\n//a.example/npm/:_authToken=",
      "https://a.example/npm/q",
      "Bearer t",
    ],
    ["_auth", `//a.example/:_auth=${btoa("u:p")}`, "https://a.example/x", basic("u:p")],
    [
      "user and password",
      `//a.example/:username=u\n//a.example/:_password=${btoa("p:ä")}`,
      "https://a.example/x",
      `Basic ${Buffer.concat([Buffer.from("u:p:"), Buffer.from([0xe4])]).toString("base64")}`,
    ],
    [
      "token before password",
      `//a.example/:_authToken=t\n//a.example/:_auth=${btoa("u:p")}`,
      "https://a.example/x",
      "Bearer t",
    ],
    ["password without user", `//a.example/:_password=${btoa("p")}`, "https://a.example/x", undefined],
    ["another host", "//a.example/:_authToken=t", "https://b.example/x", undefined],
    ["a host that begins alike", "//a.example/:_authToken=t", "https://a.example.evil.example/x", undefined],
    ["a subdomain", "//a.example/:_authToken=t", "https://x.a.example/", undefined],
    ["another port", "//a.example/:_authToken=t", "https://a.example:81/x", undefined],
    ["a path that begins alike", "//a.example/npm:_authToken=t", "https://a.example/npm-evil/x", undefined],
    ["a path beside", "//a.example/npm/:_authToken=t", "https://a.example/other/x", undefined],
    ["a path that climbs out", "//a.example/npm/:_authToken=t", "https://a.example/npm/../other/x", undefined],
    ["one that climbs out encoded", "//a.example/npm/:_authToken=t", "https://a.example/npm/%2e%2e/other/x", undefined],
  ];
  test.each(cases)("%s", (_, npmrc, url, header) => {
    expect(configureUser(npmrc).credentialsFor(url)?.header).toBe(header);
  });

  test("from the environment, over files", () => {
    const env = { "npm_config_//a.example/:_authToken": "env" };
    expect(configureUser("//a.example/:_authToken=file", env).credentialsFor("https://a.example/x")?.header).toBe(
      "Bearer env",
    );
  });

  const broken: [key: string, value: string][] = [
    ["_auth", "s3cret pass!"],
    ["_authToken", "two words"],
    ["_authToken", '"line\\nbreak"'],
    ["_authToken", "ümlaut"],
  ];
  test.each(broken)("%s=%s is refused without showing it", async (key, value) => {
    const failure = await failureOf(() =>
      configureUser(`//a.example/:${key}=${value}`).credentialsFor("https://a.example/"),
    );
    expect(failure.code).toBe("CSP_NPMRC_INVALID");
    expect(failure.message).toContain(`//a.example/:${key}`);
    expect(failure.message).not.toContain(value.slice(0, 5));
  });

  test("one without a registry is ignored, and that is said", () => {
    const { warnings } = configureUser("_authToken=secret-value");
    expect(warnings.map((warning) => warning.hint)).toEqual(["write it as `//host/path/:_authToken`"]);
    expect(JSON.stringify(warnings)).not.toContain("secret-value");
  });

  test("the key that would hold a token", () => {
    expect(tokenKey("https://a.example:81/npm/")).toBe("//a.example:81/npm/:_authToken");
  });
});

describe("a project's file", () => {
  const hasGit = Bun.which("git") !== null;
  const git = (cwd: string, ...args: string[]): void => {
    const env = { PATH: Bun.env.PATH ?? "", GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1" };
    const run = Bun.spawnSync(["git", "-c", "user.name=t", "-c", "user.email=t@example.com", ...args], { cwd, env });
    if (run.exitCode !== 0) throw new Error(run.stderr.toString());
  };
  const env = { TOKEN: "t", PATH: Bun.env.PATH ?? "" };
  const lines =
    "registry=https://${TOKEN}.example/\n//a.example/:_authToken=${TOKEN}\nhttps-proxy=http://${TOKEN}.example/\n";

  test("may use variables only where git or the user vouches for it", async () => {
    using home = makeHome({ "project/.npmrc": lines });
    const configuration = configure(home, env);
    const uses = [
      () => configuration.registryFor("x"),
      () => configuration.credentialsFor("https://a.example/"),
      () => configuration.transportFor("https://a.example/"),
    ];
    for (const use of uses) {
      const failure = await failureOf(use);
      expect(failure.code).toBe("CSP_NPMRC_INVALID");
      expect(failure.message).toContain("git does not vouch for that file");
    }
    const trusting = configure(home, env, { trustProject: true });
    expect(trusting.credentialsFor("https://a.example/")?.header).toBe("Bearer t");
    expect(trusting.registryFor("x").url).toBe("https://t.example/");
  });

  test("needs no trust for what stays on the host or reads no environment", () => {
    using home = makeHome({
      "project/.npmrc": "registry=https://a.example\n//a.example/:_authToken=literal\ncafile=${HOME}/ca.pem",
    });
    home.write("home/ca.pem", "-----BEGIN CERTIFICATE-----\n");
    const configuration = configure(home, { HOME: home.home });
    expect(configuration.credentialsFor("https://a.example/")?.header).toBe("Bearer literal");
    expect(configuration.transportFor("https://a.example/").tls?.ca).toHaveLength(1);
  });

  test.skipIf(!hasGit)("is trusted while it is committed and unmodified (needs git)", async () => {
    using home = makeHome({ "project/.npmrc": lines });
    const header = (): string | undefined => configure(home, env).credentialsFor("https://a.example/")?.header;
    git(home.project, "init", "-q");
    await failureOf(header);
    git(home.project, "add", ".npmrc");
    await failureOf(header);
    git(home.project, "commit", "-q", "-m", "x");
    expect(header()).toBe("Bearer t");
    home.write("project/.npmrc", lines.replaceAll("\n", "\r\n"));
    expect(header()).toBe("Bearer t");
    home.write("project/.npmrc", `${lines}//evil.example/:_authToken=\${TOKEN}\n`);
    await failureOf(header);
    git(home.project, "add", ".npmrc");
    await failureOf(header);
  });

  test.skipIf(!hasGit)("is asked about without running what the repository configures (needs git)", () => {
    using home = makeHome({ "project/.npmrc": lines });
    git(home.project, "init", "-q");
    git(home.project, "add", ".npmrc");
    git(home.project, "commit", "-q", "-m", "x");
    const canary = `${home.directory}/canary`;
    for (const key of ["core.fsmonitor", "diff.external", "filter.x.clean", "filter.x.smudge", "core.pager"]) {
      git(home.project, "config", key, `touch ${canary}; false`);
    }
    home.write("project/.gitattributes", "* filter=x diff=x\n");
    expect(configure(home, env).credentialsFor("https://a.example/")?.header).toBe("Bearer t");
    expect(Bun.spawnSync(["ls", canary]).exitCode).not.toBe(0);
  });

  test("that is also the user's is the user's", () => {
    using home = makeHome({ "home/.npmrc": "//a.example/:_authToken=${TOKEN}" });
    const configuration = configure(home, env, { projectDir: home.home });
    expect(configuration.credentialsFor("https://a.example/")?.header).toBe("Bearer t");
  });
});
