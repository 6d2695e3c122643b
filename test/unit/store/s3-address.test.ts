/** Addresses of stores in buckets, and the URLs that follow from them. */
import { describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseS3Address } from "../../../src/store/s3/address.ts";
import { readProfiles } from "../../../src/store/s3/profiles.ts";
import { configuredEndpoint, s3Settings, urlOf } from "../../../src/store/s3/settings.ts";
import { makeTemp, removeTree } from "../../support/temp.ts";

function refusal(address: string): { code?: string; message: string; hint?: string } {
  try {
    parseS3Address(address);
  } catch (error) {
    return error as { code: string; message: string; hint: string };
  }
  return { message: "not refused" };
}

describe("an address", () => {
  test("has a bucket, perhaps a prefix, perhaps parameters", () => {
    expect(parseS3Address("s3://bucket")).toEqual({ bucket: "bucket", prefix: "", text: "s3://bucket" });
    expect(parseS3Address("s3://bucket//a/b//")).toEqual({ bucket: "bucket", prefix: "a/b/", text: "s3://bucket/a/b" });
    expect(
      parseS3Address(
        "S3://My_Bucket.x/a?profile=ci&region=eu-west-1&endpoint=https%3A%2F%2Fs3.example.com:9000/x&pathStyle=false",
      ),
    ).toEqual({
      bucket: "My_Bucket.x",
      prefix: "a/",
      endpoint: new URL("https://s3.example.com:9000/x"),
      region: "eu-west-1",
      pathStyle: false,
      profile: "ci",
      text: "s3://My_Bucket.x/a?endpoint=https://s3.example.com:9000/x&region=eu-west-1&pathStyle=false&profile=ci",
    });
  });

  test("in its one form means the same", () => {
    for (const address of ["s3://bucket/a?endpoint=http://127.0.0.1:1", "s3://bucket?profile=a%20%26b%3D&region=x"]) {
      const parsed = parseS3Address(address);
      expect(parseS3Address(parsed.text)).toEqual(parsed);
    }
  });

  const refused: Record<string, string> = {
    "s3://": "names no bucket",
    "s3:///key": "names no bucket",
    "s3:bucket": "names no bucket",
    "s3://ab": "names no bucket",
    "s3://a..b/x": "names no bucket",
    "s3://bucket:80/x": "names no bucket",
    "s3://bucket/../x": "the part",
    "s3://bucket/a/./b": "the part",
    "s3://bucket/a%2fb": "the part",
    "s3://bucket/a b": "the part",
    "s3://bucket/a\nb": "the part",
    [`s3://bucket/${"long/".repeat(200)}`]: "too long",
    "s3://bucket?regoin=x": "unknown parameter `regoin`",
    "s3://bucket?region=a&region=b": "`region` twice",
    "s3://bucket?region=evil.example.com/": "`region` in `s3://bucket` is",
    "s3://bucket?pathStyle=yes": "`pathStyle` in",
    "s3://bucket?endpoint=s3.example.com": "`endpoint` in",
    "s3://bucket?endpoint=file:///etc": "`endpoint` in",
    "s3://bucket?endpoint=https://s3.example.com/?x": "a query",
    "s3://bucket?endpoint=https://s3.example.com/a%20b": "an odd path",
  };
  for (const [address, why] of Object.entries(refused)) {
    test(`${JSON.stringify(address.slice(0, 60))} is refused`, () => {
      expect(refusal(address)).toMatchObject({ code: "CSP_STORE_ADDRESS", message: expect.stringContaining(why) });
    });
  }

  test("with credentials is refused without showing them", () => {
    for (const address of [
      "s3://AKID:s3cret@bucket/x",
      "s3://s3cret@bucket",
      "s3://bucket?secretAccessKey=s3cret",
      "s3://bucket?endpoint=https://user:s3cret@s3.example.com",
    ]) {
      const { code, message, hint } = refusal(address);
      expect(code).toBe("CSP_STORE_ADDRESS");
      expect(`${message} ${hint}`).not.toContain("s3cret");
      expect(hint).toContain("AWS_SECRET_ACCESS_KEY");
    }
  });
});

describe("the place of a bucket", () => {
  const url = (address: string, env: Record<string, string> = {}, home?: string): string => {
    const parsed = parseS3Address(address);
    const settings = s3Settings(parsed, readProfiles(parsed.profile, { env, home }), env);
    return urlOf(settings, parsed.bucket, settings.region, `${parsed.prefix}k`).href;
  };

  test("is a host name at Amazon, and a path elsewhere", () => {
    expect(url("s3://bucket/p")).toBe("https://bucket.s3.us-east-1.amazonaws.com/p/k");
    expect(url("s3://bucket", { AWS_REGION: "cn-north-1" })).toBe("https://bucket.s3.cn-north-1.amazonaws.com.cn/k");
    expect(url("s3://dotted.bucket")).toBe("https://s3.us-east-1.amazonaws.com/dotted.bucket/k");
    expect(url("s3://Old_Bucket")).toBe("https://s3.us-east-1.amazonaws.com/Old_Bucket/k");
    expect(url("s3://bucket?pathStyle=true")).toBe("https://s3.us-east-1.amazonaws.com/bucket/k");
    const fips = "https://s3-fips.us-east-1.amazonaws.com";
    expect(url(`s3://bucket?endpoint=${fips}`)).toBe("https://bucket.s3-fips.us-east-1.amazonaws.com/k");
    expect(url("s3://bucket/p?endpoint=http://127.0.0.1:9000/")).toBe("http://127.0.0.1:9000/bucket/p/k");
    expect(url("s3://bucket?endpoint=https://s3.example.com/x/")).toBe("https://s3.example.com/x/bucket/k");
    expect(url("s3://bucket?endpoint=https://s3.example.com&pathStyle=false")).toBe("https://bucket.s3.example.com/k");
    // What looks like Amazon's host is not.
    expect(url("s3://bucket?endpoint=https://evilamazonaws.com")).toBe("https://evilamazonaws.com/bucket/k");
  });

  test("keys are encoded once", () => {
    expect(url("s3://bucket/a+b@c=d")).toBe("https://bucket.s3.us-east-1.amazonaws.com/a%2Bb%40c%3Dd/k");
  });

  test("the address wins over the environment, that over the profile, that over the default", () => {
    const home = makeTemp();
    try {
      mkdirSync(join(home, ".aws"));
      writeFileSync(
        join(home, ".aws/config"),
        `[default]
region = ap-south-1
endpoint_url = https://default.example.com

[profile own]
region=ap-south-2
services = local
s3 =
  addressing_style = virtual
  max_concurrent_requests = 20

[services local]
s3 =
  endpoint_url = https://own.example.com
sts =
  endpoint_url = https://sts.example.com
`,
      );
      const env = {
        AWS_REGION: "r-1",
        AWS_DEFAULT_REGION: "r-2",
        AWS_ENDPOINT_URL_S3: "http://e-1",
        AWS_ENDPOINT_URL: "http://e-2",
      };
      const all = "s3://bucket?region=r-0&endpoint=http://e-0";
      const parsed = (address: string, vars: Record<string, string>) => {
        const at = parseS3Address(address);
        const { endpoint, region, pathStyle } = s3Settings(at, readProfiles(at.profile, { env: vars, home }), vars);
        return `${endpoint?.host} ${region} ${pathStyle ? "path" : "host"}`;
      };
      expect(parsed(all, env)).toBe("e-0 r-0 path");
      expect(parsed("s3://bucket", env)).toBe("e-1 r-1 path");
      expect(parsed("s3://bucket", { ...env, AWS_REGION: "", AWS_ENDPOINT_URL_S3: "" })).toBe("e-2 r-2 path");
      expect(parsed("s3://bucket", {})).toBe("default.example.com ap-south-1 path");
      expect(parsed("s3://bucket", { AWS_PROFILE: "own" })).toBe("own.example.com ap-south-2 host");
      expect(parsed("s3://bucket?profile=own", { AWS_PROFILE: "default" })).toBe("own.example.com ap-south-2 host");
      const ignoring = { AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: "true", AWS_ENDPOINT_URL: "http://e-2" };
      expect(parsed("s3://bucket", ignoring)).toBe("undefined ap-south-1 host");
      const own = readProfiles("own", { env: {}, home });
      expect(configuredEndpoint("sts", own, {})?.host).toBe("sts.example.com");
      expect(() => readProfiles("other", { env: {}, home })).toThrow("the profile `other` is in neither");
      expect(() => readProfiles(undefined, { env: { AWS_PROFILE: "other" }, home })).toThrow("`other`");
    } finally {
      removeTree(home);
    }
  });

  test("an endpoint or a region that is none is named by where it stands", () => {
    const attempt = (env: Record<string, string>) => () => url("s3://bucket", env);
    expect(attempt({ AWS_ENDPOINT_URL_S3: "localhost:9000" })).toThrow("AWS_ENDPOINT_URL_S3 is `localhost:9000`");
    expect(attempt({ AWS_REGION: "a.b" })).toThrow("AWS_REGION is `a.b`");
    for (const text of ["user:s3cret@s3.example.com", "https//user:s3cret@s3.example.com"]) {
      expect(attempt({ AWS_ENDPOINT_URL: text })).toThrow(/^AWS_ENDPOINT_URL carries credentials$/);
    }
  });
});
