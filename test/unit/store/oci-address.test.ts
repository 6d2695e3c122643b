/** Addresses of registries, what they say with 401, and who may be given credentials. */
import { describe, expect, test } from "bun:test";
import { parseOciAddress } from "../../../src/store/oci/address.ts";
import { mayHaveCredentials, parseChallenges, tokenService } from "../../../src/store/oci/challenge.ts";

describe("an address", () => {
  test.each([
    ["oci://registry.example.com/team/scripts", "https://registry.example.com/v2/team/scripts/"],
    ["OCI://Registry.Example.com:5443/a/b-c/d__e.f/", "https://registry.example.com:5443/v2/a/b-c/d__e.f/"],
    ["oci://127.0.0.1:5000/x", "http://127.0.0.1:5000/v2/x/"],
    ["oci://localhost/x", "http://localhost/v2/x/"],
    ["oci://[::1]:5000/x", "http://[::1]:5000/v2/x/"],
    ["oci://localhost/x?insecure=false", "https://localhost/v2/x/"],
    ["oci://registry.example.com/x?insecure=true", "http://registry.example.com/v2/x/"],
    ["oci://docker.io/me/scripts", "https://registry-1.docker.io/v2/me/scripts/"],
  ])("%s is %s", (text, base) => {
    expect(parseOciAddress(text).base).toBe(base);
    expect(parseOciAddress(parseOciAddress(text).text)).toEqual(parseOciAddress(text));
  });

  test.each([
    ["oci://user:s3cret@registry.example.com/x", "carries credentials"],
    ["oci://registry.example.com", "no repository"],
    ["oci:///x", "no registry"],
    ["oci://registry.example.com/x:latest", "a tag or a digest"],
    ["oci://registry.example.com/x@sha256:abc", "a tag or a digest"],
    ["oci://registry.example.com/Team/x", "no repository"],
    ["oci://registry.example.com/a/../b", "no repository"],
    ["oci://registry.example.com/a//b", "no repository"],
    [`oci://registry.example.com/${"a".repeat(256)}`, "no repository"],
    ["oci://registry example/x", "no registry"],
    ["oci://registry.example.com/x?insecure=yes", "`insecure`"],
    ["oci://registry.example.com/x?token=s3cret", "`token`"],
    ["oci://registry.example.com/x?trust=https://auth.example.com", "`trust`"],
    ["oci://registry.example.com/x#y", "no re"],
  ])("%s is refused: %s", (text, why) => {
    expect(() => parseOciAddress(text)).toThrow(why);
    expect(() => parseOciAddress(text)).not.toThrow("s3cret");
  });
});

describe("a challenge", () => {
  const read = (header: string | null) =>
    parseChallenges(header).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);

  test("is read with its parameters, in quotes or not, one or several", () => {
    expect(read('Bearer realm="https://a.example/t?x=1,2",service="a \\"b\\"",scope=repository:x:pull')).toEqual([
      ["bearer", { realm: "https://a.example/t?x=1,2", service: 'a "b"', scope: "repository:x:pull" }],
    ]);
    expect(read('Basic realm="r", Bearer realm="https://a.example/t" , Negotiate')).toEqual([
      ["basic", { realm: "r" }],
      ["bearer", { realm: "https://a.example/t" }],
      ["negotiate", {}],
    ]);
  });

  test("that is none gives none, in bounded time", () => {
    expect(read(null)).toEqual([]);
    expect(read("")).toEqual([]);
    expect(read('"=,,;')).toEqual([]);
    const long = `Bearer realm="${"a,\\\\".repeat(100_000)}`;
    const begun = performance.now();
    expect(read(long).length).toBeLessThan(10_000);
    expect(performance.now() - begun).toBeLessThan(1000);
  });
});

describe("a token service", () => {
  const remote = parseOciAddress("oci://registry.example.com/x");
  const service = (address: string, realm: string) =>
    tokenService({ scheme: "bearer", parameters: new Map([["realm", realm]]) }, parseOciAddress(address));

  test.each([
    ["oci://registry.example.com/x", "https://auth.example.com/token", true],
    ["oci://registry.example.com/x", "http://registry.example.com/token", false],
    ["oci://registry.example.com/x", "https://127.0.0.1/token", false],
    ["oci://registry.example.com/x", "https://localhost:8443/token", false],
    ["oci://registry.example.com/x", "https://u:p@auth.example.com/token", false],
    ["oci://registry.example.com/x", "file:///etc/passwd", false],
    ["oci://registry.example.com/x", "token", false],
    ["oci://registry.example.com/x?insecure=true", "http://registry.example.com/token", true],
    ["oci://127.0.0.1:5000/x", "http://127.0.0.1:5001/token", true],
  ])("of %s at %s can be asked: %p", (address, realm, can) => {
    expect(service(address, realm) !== undefined).toBe(can);
  });

  test.each([
    ["https://registry.example.com/token", true],
    ["https://registry.example.com:8443/token", true],
    ["https://auth.example.com/token", true],
    ["https://example.com/token", true],
    ["https://a.registry.example.com/token", true],
    ["https://example.org/token", false],
    ["https://evil-example.com/token", false],
    ["https://example.com.evil.test/token", false],
    ["https://10.0.0.1/token", false],
    ["https://trusted.example.org/token", false],
  ])("at %s may have the credentials for registry.example.com: %p", (realm, may) => {
    expect(mayHaveCredentials(new URL(realm), remote)).toBe(may);
  });

  test("gets them where the address says so, and by the owner of a domain, not of a country", () => {
    const trusting = parseOciAddress("oci://registry.example.com/x?trust=trusted.example.org,other.test:8443");
    expect(mayHaveCredentials(new URL("https://trusted.example.org/token"), trusting)).toBe(true);
    expect(mayHaveCredentials(new URL("https://trusted.example.org:444/token"), trusting)).toBe(false);
    expect(mayHaveCredentials(new URL("https://other.test:8443/token"), trusting)).toBe(true);
    const british = parseOciAddress("oci://registry.co.uk/x");
    expect(mayHaveCredentials(new URL("https://evil.co.uk/token"), british)).toBe(false);
    expect(mayHaveCredentials(new URL("https://auth.registry.co.uk/token"), british)).toBe(true);
    const hub = parseOciAddress("oci://docker.io/me/x");
    expect(mayHaveCredentials(new URL("https://auth.docker.io/token"), hub)).toBe(true);
    const number = parseOciAddress("oci://10.1.2.3/x");
    expect(mayHaveCredentials(new URL("https://11.1.2.3/token"), number)).toBe(false);
  });
});
