import { describe, expect, test } from "bun:test";
import { scriptEnvironment } from "../../../src/run/environment.ts";

const parts = {
  drop: [],
  tree: "/data/trees/1",
  scratch: "/data/.runs/run-1",
  guard: false,
  bunHook: "/csp/hook.js",
  nodeHook: undefined,
  code: undefined,
};

function given(env: Record<string, string>): string[] {
  return Object.keys(scriptEnvironment({ ...parts, env }))
    .filter((name) => Object.hasOwn(env, name))
    .sort();
}

describe("what a script is not given", () => {
  test("addresses and tokens of stores", () => {
    expect(given({ CSP_STORE: "file:/srv/csp", CSP_STORE_TOKEN: "x", CSP_CHANNEL: "stable", HOME: "/h" })).toEqual([
      "CSP_CHANNEL",
      "HOME",
    ]);
  });

  test.each([
    ["s3://bucket/csp", ["PGPASSWORD", "PGUSER", "AWS_REGION"]],
    ["file:/srv/csp s3://bucket/csp", ["PGPASSWORD", "PGUSER", "AWS_REGION"]],
    ["postgres://db.example.com/csp", ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "PGUSER", "AWS_REGION"]],
    ["file:/srv/s3:/x", ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "PGPASSWORD", "PGUSER", "AWS_REGION"]],
  ])("the credentials that come beside %s", (address, kept) => {
    const env = { AWS_SECRET_ACCESS_KEY: "a", AWS_SESSION_TOKEN: "b", AWS_REGION: "c", PGPASSWORD: "d", PGUSER: "e" };
    expect(given({ ...env, CSP_STORE: address })).toEqual([...kept].sort());
  });

  test("without a store in the environment a user's own credentials are the script's", () => {
    expect(given({ AWS_SECRET_ACCESS_KEY: "a", PGPASSWORD: "d" })).toEqual(["AWS_SECRET_ACCESS_KEY", "PGPASSWORD"]);
  });
});
