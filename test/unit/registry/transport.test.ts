// biome-ignore-all lint/suspicious/noTemplateCurlyInString: npm writes variables like that
import { describe, expect, test } from "bun:test";
import { isExcepted } from "../../../src/net/proxy.ts";
import { clientOf, configure, configureUser, failureOf, makeHome, serve } from "./support.ts";

const pem = (name: string): string => `-----BEGIN CERTIFICATE-----\n${name}\n-----END CERTIFICATE-----\n`;

describe("proxies", () => {
  const P = "http://p.example:8080/";
  const Q = "http://q.example:8080/";
  const cases: [what: string, npmrc: string, env: Record<string, string>, url: string, proxy: string | undefined][] = [
    ["none", "", {}, "https://a.example", undefined],
    ["https-proxy", `https-proxy=${P}`, {}, "https://a.example", P],
    ["proxy serves https too, as npm does", `proxy=${P}`, {}, "https://a.example", P],
    ["each its own", `proxy=${P}\nhttps-proxy=${Q}`, {}, "http://a.example", P],
    ["without a scheme", "https-proxy=p.example:8080", {}, "https://a.example", P],
    ["HTTPS_PROXY", "", { HTTPS_PROXY: P }, "https://a.example", P],
    ["http_proxy", "", { http_proxy: P, HTTP_PROXY: Q }, "http://a.example", P],
    ["HTTP_PROXY is not for https", "", { HTTP_PROXY: P }, "https://a.example", undefined],
    ["ALL_PROXY", "", { ALL_PROXY: P }, "https://a.example", P],
    ["settings over environment", `https-proxy=${P}`, { HTTPS_PROXY: Q }, "https://a.example", P],
    ["off", "proxy=false", { HTTPS_PROXY: Q }, "https://a.example", undefined],
    ["null is unset", "proxy=null", { HTTPS_PROXY: Q }, "https://a.example", Q],
    ["noproxy", `https-proxy=${P}\nnoproxy=x.example, a.example`, {}, "https://b.a.example", undefined],
    ["NO_PROXY", `https-proxy=${P}`, { NO_PROXY: "a.example" }, "https://a.example", undefined],
    ["npm_config_noproxy", `https-proxy=${P}`, { npm_config_noproxy: "a.example" }, "https://a.example", undefined],
  ];
  test.each(cases)("%s", (_, npmrc, env, url, proxy) => {
    expect(configureUser(npmrc, env).transportFor(url).proxy).toBe(proxy as string);
  });

  const exceptions: [entry: string, url: string, excepted: boolean][] = [
    ["*", "https://a.example", true],
    ["a.example", "https://a.example", true],
    ["a.example", "https://ba.example", false],
    [".a.example", "https://b.a.example", true],
    ["*.a.example", "https://b.a.example", true],
    ["a.example:443", "https://a.example", true],
    ["a.example:80", "https://a.example", false],
    ["127.0.0.1", "http://127.0.0.1:4873", true],
    ["::1", "http://[::1]:4873", true],
    ["[::1]:4873", "http://[::1]:4873", true],
  ];
  test.each(exceptions)("%s excepts %s: %p", (entry, url, excepted) => {
    expect(isExcepted(new URL(url), [entry])).toBe(excepted);
  });

  test("that is no URL is refused without showing it", async () => {
    const failure = await failureOf(() =>
      configureUser("proxy=socks5://u:s3cret@p.example").transportFor("https://a.example"),
    );
    expect(failure.code).toBe("CSP_NPMRC_INVALID");
    expect(failure.message).not.toContain("s3cret");
  });

  test("carries the requests, and its own credentials only to itself", async () => {
    using registry = serve(() => new Response("direct"));
    using proxy = serve(() => new Response("through the proxy"));
    const client = clientOf(`registry=http://registry.example/\nproxy=http://u:p@${proxy.host}/\nnoproxy=127.0.0.1`);
    const bytes = await client.tarballBytes({ name: "q", version: "1.0.0" }, { maxBytes: 100 });
    expect(new TextDecoder().decode(bytes)).toBe("through the proxy");
    expect(proxy.seen[0]?.headers.get("proxy-authorization")).toBe(`Basic ${btoa("u:p")}`);
    const direct = clientOf(`registry=${registry.url}\nproxy=http://u:p@${proxy.host}/\nnoproxy=127.0.0.1`);
    await direct.tarballBytes({ name: "q", version: "1.0.0" }, { maxBytes: 100 });
    expect(registry.seen[0]?.headers.get("proxy-authorization")).toBeNull();
  });

  test("of the process's own environment do not count where the configuration rules them out", async () => {
    using registry = serve(() => new Response("direct"));
    using proxy = serve(() => new Response("through the proxy"));
    const client = clientOf(`registry=${registry.url}\nnoproxy=127.0.0.1`);
    const before = process.env.HTTP_PROXY;
    process.env.HTTP_PROXY = proxy.url;
    try {
      await client.tarballBytes({ name: "q", version: "1.0.0" }, { maxBytes: 100 });
    } finally {
      if (before === undefined) delete process.env.HTTP_PROXY;
      else process.env.HTTP_PROXY = before;
    }
    expect([registry.seen.length, proxy.seen.length]).toEqual([1, 0]);
  });
});

describe("certificates", () => {
  test("of the user's own authority, from file and line", () => {
    using home = makeHome({
      "project/ca.pem": pem("file"),
      "home/.npmrc": `cafile=ca.pem\nca="${pem("line").replaceAll("\n", "\\n")}"`,
    });
    const { tls } = configure(home).transportFor("https://a.example/");
    expect(tls?.ca).toEqual([pem("line"), pem("file")]);
    expect(configure(home).transportFor("http://a.example/").tls).toBeUndefined();
  });

  test("of one registry only", () => {
    using home = makeHome({
      "home/ca.pem": pem("all"),
      "home/own.pem": pem("own"),
      "home/cert.pem": pem("cert"),
      "home/key.pem": pem("key"),
      "home/.npmrc":
        "cafile=~/ca.pem\n//a.example/npm/:cafile=~/own.pem\n//a.example/npm/:certfile=~/cert.pem\n//a.example/npm/:keyfile=~/key.pem",
    });
    const configuration = configure(home);
    expect(configuration.transportFor("https://a.example/npm/q").tls).toEqual({
      ca: [pem("own")],
      cert: pem("cert"),
      key: pem("key"),
    });
    expect(configuration.transportFor("https://a.example/other").tls).toEqual({ ca: [pem("all")] });
  });

  test.each([
    ["missing.pem", "cannot be read (ENOENT)"],
    ["empty.pem", "without PEM blocks"],
  ])("%s is refused when it is used", async (file, problem) => {
    using home = makeHome({ "project/empty.pem": "", "home/.npmrc": `cafile=${file}` });
    const configuration = configure(home);
    const failure = await failureOf(() => configuration.transportFor("https://a.example/"));
    expect(failure.code).toBe("CSP_NPMRC_INVALID");
    expect(failure.message).toContain(problem);
  });

  test("are not checked only where `strict-ssl` says so, with a warning", () => {
    const configuration = configureUser("strict-ssl=false");
    expect(configuration.transportFor("https://a.example/").tls).toEqual({ rejectUnauthorized: false });
    expect(configuration.warnings).toHaveLength(1);
    expect(configureUser("strict-ssl=true").transportFor("https://a.example/").tls).toBeUndefined();
  });
});
