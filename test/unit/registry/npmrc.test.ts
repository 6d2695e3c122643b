// biome-ignore-all lint/suspicious/noTemplateCurlyInString: npm writes variables like that
import { describe, expect, test } from "bun:test";
import { defaultUrl } from "registry-url";
import { parseNpmrc, type RawValue } from "../../../src/registry/npmrc.ts";
import { configure, configureUser, failureOf, makeHome } from "./support.ts";

describe("an npmrc file", () => {
  const cases: [what: string, text: string, entries: Record<string, RawValue>][] = [
    ["byte order mark", "\uFEFFregistry=https://npm.example.com", { registry: "https://npm.example.com" }],
    ["byte order mark before a section", "\uFEFF[section]\na=1", {}],
    ["Windows line ends", "a=1\r\nb=2\r\n", { a: "1", b: "2" }],
    ["double quotes", 'a="x ; y"', { a: "x ; y" }],
    ["single quotes", "a='x'", { a: "x" }],
    ["space around", "  a  =  x  ", { a: "x" }],
    ["comments", "; one\n# two\na=x ; three", { a: "x" }],
    ["escaped comment sign", "a=x\\;y", { a: "x;y" }],
    ["equals signs in a token", "//h.example/:_authToken=abc==", { "//h.example/:_authToken": "abc==" }],
    ["lists", "ca[]=one\nca[]=two", { ca: ["one", "two"] }],
    ["words", "a=true\nb=false\nc=null\nd", { a: true, b: false, c: null, d: true }],
    ["the last of equal keys", "a=1\na=2", { a: "2" }],
    ["sections are left out", "a=1\n[other]\nb=2", { a: "1" }],
    ["nothing of the prototype", "__proto__=x\nconstructor=y", { constructor: "y" }],
    ["variables in keys", "//${HOST}/:_authToken=x", { "//npm.example.com/:_authToken": "x" }],
    [
      "hosts in lower case",
      "//NPM.Example.com:81/Path/:_authToken=x",
      { "//npm.example.com:81/Path/:_authToken": "x" },
    ],
    ["host without path", "//NPM.example.com:_authToken=x", { "//npm.example.com:_authToken": "x" }],
  ];
  test.each(cases)("%s", (_, text, entries) => {
    expect(Object.fromEntries(parseNpmrc(text, { HOST: "npm.example.com" }))).toEqual(entries);
  });
});

describe("which registry", () => {
  test("without any configuration it is npm's own", () => {
    using home = makeHome();
    expect(configure(home).registryFor("leftpad").url).toBe(defaultUrl);
  });

  const layers = ["global", "user", "project", "environment", "allowlist"];
  test.each(layers)("%s wins over all before it", (last) => {
    const present = layers.slice(0, layers.indexOf(last) + 1);
    const url = (layer: string): string => `https://${layer}.example.com/npm`;
    const file = (layer: string, path: string): Record<string, string> =>
      present.includes(layer) ? { [path]: `registry=${url(layer)}` } : {};
    using home = makeHome({
      ...file("global", "etc/npmrc"),
      ...file("user", "home/.npmrc"),
      ...file("project", "project/.npmrc"),
    });
    const env: Record<string, string> = present.includes("environment")
      ? { npm_config_registry: url("environment") }
      : {};
    const more = present.includes("allowlist") ? { override: { url: url("allowlist") } } : {};
    expect(configure(home, env, more).registryFor("x").url).toBe(`${url(last)}/`);
  });

  const environments: [what: string, env: Record<string, string>, url: string][] = [
    ["upper case", { NPM_CONFIG_REGISTRY: "https://a.example/" }, "https://a.example/"],
    [
      "lower case first",
      { npm_config_registry: "https://a.example/", NPM_CONFIG_REGISTRY: "https://b.example/" },
      "https://a.example/",
    ],
    [
      "lower case last",
      { NPM_CONFIG_REGISTRY: "https://b.example/", npm_config_registry: "https://a.example/" },
      "https://a.example/",
    ],
    ["empty does not count", { npm_config_registry: "" }, "https://user.example/"],
  ];
  test.each(environments)("environment: %s", (_, env, url) => {
    expect(configureUser("registry=https://user.example", env).registryFor("x").url).toBe(url);
  });

  test("files of other places", () => {
    using home = makeHome({
      "else/userrc": "registry=https://user.example",
      "else/globalrc": "@g:registry=https://global.example",
    });
    const configuration = configure(home, {
      NPM_CONFIG_USERCONFIG: `${home.directory}/else/userrc`,
      NPM_CONFIG_GLOBALCONFIG: `${home.directory}/else/globalrc`,
    });
    expect(configuration.registryFor("x").url).toBe("https://user.example/");
    expect(configuration.registryFor("@g/x").url).toBe("https://global.example/");
  });

  test("the project does not choose the global file", () => {
    using home = makeHome({
      "project/.npmrc": "prefix=elsewhere\nglobalconfig=evil",
      "project/evil": "registry=https://evil.example",
    });
    expect(configure(home).registryFor("x").url).toBe(defaultUrl);
  });

  test("a scope has its own, also where the allowlist names another default", () => {
    using home = makeHome({ "home/.npmrc": "registry=https://a.example\n@s:registry=https://s.example/npm" });
    const override = { url: "https://allowlist.example", scopes: new Map([["@t", "https://t.example"]]) };
    const configuration = configure(home, {}, { override });
    expect(["x", "@s/x", "@t/x", "@u/x", "@s"].map((name) => configuration.registryFor(name).url)).toEqual([
      "https://allowlist.example/",
      "https://s.example/npm/",
      "https://t.example/",
      "https://allowlist.example/",
      "https://allowlist.example/",
    ]);
  });

  test.each(["ftp://x.example", "not a url", "https://u:p@x.example/", "https://x.example/?a", ""])(
    "%j is refused when it is used",
    async (url) => {
      const configuration = configureUser(`registry=${url}\n@ok:registry=https://ok.example`);
      expect(configuration.registryFor("@ok/x").url).toBe("https://ok.example/");
      const failure = await failureOf(() => configuration.registryFor("x"));
      expect(failure.code).toBe("CSP_NPMRC_INVALID");
      expect(failure.message).toMatch(/^`registry` in `.*\.npmrc` is not the URL of a registry$/);
    },
  );

  test("a file that cannot be read as one is named", async () => {
    using home = makeHome({ "home/.npmrc": "x".repeat(1024 * 1024 + 1) });
    expect((await failureOf(() => configure(home))).message).toContain(`${home.home}/.npmrc`);
  });
});

describe("variables", () => {
  test("an unset one in a stale line breaks nothing", () => {
    const configuration = configureUser("registry=https://a.example\n//old.example/:_authToken=${OLD}");
    expect(configuration.credentialsFor("https://a.example/x")).toBeUndefined();
    expect(configuration.warnings).toEqual([]);
  });

  test("an unset one that is needed names variable, key and file", async () => {
    using home = makeHome({ "home/.npmrc": "//a.example/:_authToken=${NPM_TOKEN}" });
    const failure = await failureOf(() => configure(home).credentialsFor("https://a.example/x"));
    expect(failure.code).toBe("CSP_NPMRC_INVALID");
    expect(failure.message).toBe(
      `\`//a.example/:_authToken\` in \`${home.home}/.npmrc\` needs the environment variable \`NPM_TOKEN\`, which is not set`,
    );
  });

  test("an empty one sends nothing and is remarked on once", () => {
    const told: string[] = [];
    using home = makeHome({ "home/.npmrc": "//a.example/:_authToken=${NPM_TOKEN}" });
    const configuration = configure(home, { NPM_TOKEN: "" }, { onWarning: (warning) => told.push(warning.message) });
    for (let round = 0; round < 2; round++) {
      expect(configuration.credentialsFor("https://a.example/x")).toBeUndefined();
    }
    expect(told).toEqual([
      `environment variable \`NPM_TOKEN\` is empty, which \`//a.example/:_authToken\` in \`${home.home}/.npmrc\` uses`,
    ]);
    expect(configuration.warnings.map((warning) => warning.message)).toEqual(told);
  });

  test("request settings", () => {
    const configuration = configureUser("fetch-timeout=1000\nfetch-retries=0\nmaxsockets=many");
    expect(configuration.limits).toEqual({ fetchTimeoutMs: 1000, fetchRetries: 0 });
    expect(configuration.warnings[0]?.message).toContain("`maxsockets`");
  });
});
