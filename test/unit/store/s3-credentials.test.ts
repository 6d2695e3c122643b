/** Where credentials come from, in which order, and how they are renewed. Services are on loopback, files in a temporary home. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createHttp } from "../../../src/net/http.ts";
import { type CredentialWorld, createCredentialSource, findCredentials } from "../../../src/store/s3/credentials.ts";
import { commandWords } from "../../../src/store/s3/process.ts";
import { parseSections, readProfiles } from "../../../src/store/s3/profiles.ts";
import type { S3Credentials } from "../../../src/store/s3/sign.ts";
import { openS3Store } from "../../../src/store/s3.ts";
import { makeTemp, removeTree } from "../../support/temp.ts";
import { startClone } from "./s3-clone.ts";

let home: string;
const stops: (() => void)[] = [];

beforeEach(() => {
  home = makeTemp();
  mkdirSync(join(home, ".aws"));
});
afterEach(() => {
  removeTree(home);
  for (const stop of stops.splice(0)) stop();
});

const limits = { idleMs: 2000, totalMs: 5000 };

/** A service on loopback: gives its address, and what was asked of it. */
function serve(answer: (request: Request, body: string) => Response): { url: string; asked: string[] } {
  const asked: string[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      asked.push(`${request.method} ${new URL(request.url).pathname}`);
      return answer(request, await request.text());
    },
  });
  stops.push(() => void server.stop(true));
  return { url: `http://127.0.0.1:${server.port}`, asked };
}

interface Files {
  config?: string;
  credentials?: string;
}

function find(
  env: Record<string, string>,
  files: Files = {},
  { profile, sts = "http://127.0.0.1:1" }: { profile?: string; sts?: string } = {},
): Promise<S3Credentials | undefined> {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(home, ".aws", name), text);
  const world: CredentialWorld = {
    address: "s3://bucket/p",
    env: { PATH: process.env.PATH ?? "", AWS_EC2_METADATA_DISABLED: "true", ...env },
    profiles: readProfiles(profile, { env, home }),
    explicitProfile: profile !== undefined,
    sts: { endpoint: new URL(sts), region: "us-east-1" },
    http: createHttp({ limits }),
    nearby: createHttp({ limits }),
  };
  return findCredentials(world);
}

const keys = { AWS_ACCESS_KEY_ID: "env-id", AWS_SECRET_ACCESS_KEY: "env-secret" };

function temporary(id: string, expires = "2030-01-02T03:04:05Z"): Record<string, string> {
  return { AccessKeyId: id, SecretAccessKey: `${id}-secret`, Token: `${id}-token`, Expiration: expires };
}

function found(id: string): S3Credentials {
  const expires = Date.UTC(2030, 0, 2, 3, 4, 5);
  return { accessKeyId: id, secretAccessKey: `${id}-secret`, sessionToken: `${id}-token`, expires };
}

/** A token service that gives credentials named by the role. */
function tokenService(): { url: string; forms: URLSearchParams[]; authorization: (string | null)[] } {
  const forms: URLSearchParams[] = [];
  const authorization: (string | null)[] = [];
  const { url } = serve((request, body) => {
    const form = new URLSearchParams(body);
    forms.push(form);
    authorization.push(request.headers.get("authorization"));
    const action = form.get("Action");
    const role = form.get("RoleArn")?.split("/").pop() ?? "";
    if (role === "refused") {
      const why = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>";
      return new Response(why, { status: 403 });
    }
    const { AccessKeyId, SecretAccessKey, Token, Expiration } = temporary(role);
    return new Response(
      `<${action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><${action}Result><Credentials>
       <AccessKeyId>${AccessKeyId}</AccessKeyId><SecretAccessKey>${SecretAccessKey}</SecretAccessKey>
       <SessionToken>${Token}</SessionToken><Expiration>${Expiration}</Expiration>
       </Credentials></${action}Result></${action}Response>`,
    );
  });
  return { url, forms, authorization };
}

describe("the order", () => {
  const files: Files = {
    credentials: "[default]\naws_access_key_id = file-id\naws_secret_access_key = file-secret\n",
    config: `[default]
aws_access_key_id = config-id
aws_secret_access_key = config-secret
[profile other]
aws_access_key_id = other-id
aws_secret_access_key = other-secret
aws_session_token = other-token
`,
  };

  test("keys in the environment come first", async () => {
    expect(await find({ ...keys, AWS_PROFILE: "other" }, files)).toEqual({
      accessKeyId: "env-id",
      secretAccessKey: "env-secret",
    });
    expect(await find({ ...keys, AWS_SESSION_TOKEN: "t" }, files)).toMatchObject({ sessionToken: "t" });
  });

  test("but a profile that the address names comes before them", async () => {
    const expected = { accessKeyId: "other-id", secretAccessKey: "other-secret", sessionToken: "other-token" };
    expect(await find(keys, files, { profile: "other" })).toEqual(expected);
    expect(await find({ AWS_PROFILE: "other" }, files)).toEqual(expected);
  });

  test("the credentials file comes before the config file", async () => {
    expect(await find({}, files)).toMatchObject({ accessKeyId: "file-id" });
    expect(await find({}, { credentials: "" })).toMatchObject({ accessKeyId: "config-id" });
  });

  test("files may lie elsewhere", async () => {
    const path = join(home, "elsewhere");
    writeFileSync(path, "[default]\naws_access_key_id=moved\naws_secret_access_key=moved\n");
    expect(await find({ AWS_SHARED_CREDENTIALS_FILE: path })).toMatchObject({ accessKeyId: "moved" });
    expect(await find({ AWS_SHARED_CREDENTIALS_FILE: "~/elsewhere" })).toMatchObject({ accessKeyId: "moved" });
  });

  test("a profile comes before the container, the container before the instance, and then there is nothing", async () => {
    const container = serve(() => Response.json(temporary("container")));
    const instance = instanceService();
    const env = {
      AWS_CONTAINER_CREDENTIALS_FULL_URI: `${container.url}/creds`,
      AWS_EC2_METADATA_DISABLED: "false",
      AWS_EC2_METADATA_SERVICE_ENDPOINT: instance.url,
    };
    expect(await find(env, files)).toMatchObject({ accessKeyId: "file-id" });
    expect(container.asked).toEqual([]);
    expect(await find(env, { config: "", credentials: "" })).toEqual(found("container"));
    expect(instance.asked).toEqual([]);
    const { AWS_CONTAINER_CREDENTIALS_FULL_URI: _, ...without } = env;
    expect(await find(without)).toEqual(found("instance"));
    expect(await find({ ...without, AWS_EC2_METADATA_DISABLED: "TRUE" })).toBeUndefined();
  });

  test("half of the keys, and keys with odd characters, are an error that shows none", async () => {
    await expect(find({ AWS_ACCESS_KEY_ID: "id" })).rejects.toMatchObject({ code: "CSP_STORE_SETTINGS" });
    await expect(find({ AWS_SECRET_ACCESS_KEY: "s3cret" })).rejects.toThrow("lack the access key id");
    const error = await find({ ...keys, AWS_SECRET_ACCESS_KEY: "s3cret\nx-injected: 1" }).catch((problem) => problem);
    expect(error).toMatchObject({ code: "CSP_STORE_SETTINGS" });
    expect(`${error.message} ${error.hint}`).not.toContain("s3cret");
  });

  test("nothing at all is an error that says where was looked", async () => {
    const store = openS3Store("s3://bucket/p", { env: { AWS_EC2_METADATA_DISABLED: "true" }, home, userAgent: "t" });
    await expect(store.root.read()).rejects.toMatchObject({
      code: "CSP_STORE_SETTINGS",
      message: "there are no credentials for the store `s3://bucket/p`",
      details: [expect.stringContaining("the profile `default`")],
    });
  });
});

describe("a web identity", () => {
  const roleEnv = () => {
    writeFileSync(join(home, "token"), "the.jwt.token\n");
    return {
      AWS_WEB_IDENTITY_TOKEN_FILE: join(home, "token"),
      AWS_ROLE_ARN: "arn:aws:iam::1:role/publisher",
      AWS_ROLE_SESSION_NAME: "ci",
    };
  };

  test("is exchanged for credentials, with a request that has no signature", async () => {
    const sts = tokenService();
    expect(await find(roleEnv(), {}, { sts: sts.url })).toEqual(found("publisher"));
    expect(Object.fromEntries(sts.forms[0] ?? [])).toEqual({
      Action: "AssumeRoleWithWebIdentity",
      Version: "2011-06-15",
      RoleArn: "arn:aws:iam::1:role/publisher",
      RoleSessionName: "ci",
      WebIdentityToken: "the.jwt.token",
    });
    expect(sts.authorization).toEqual([null]);
  });

  test("comes after keys in the environment and before keys in files", async () => {
    const sts = tokenService();
    const files = { credentials: "[default]\naws_access_key_id=f\naws_secret_access_key=f\n" };
    expect(await find({ ...roleEnv(), ...keys }, files, { sts: sts.url })).toMatchObject({ accessKeyId: "env-id" });
    expect(await find(roleEnv(), files, { sts: sts.url })).toMatchObject({ accessKeyId: "publisher" });
    expect(await find(roleEnv(), files, { sts: sts.url, profile: "default" })).toMatchObject({ accessKeyId: "f" });
  });

  test("may be named by a profile", async () => {
    const sts = tokenService();
    roleEnv();
    const config = `[profile ci]\nrole_arn=arn:aws:iam::1:role/reader\nweb_identity_token_file=${join(home, "token")}\n`;
    expect(await find({}, { config }, { sts: sts.url, profile: "ci" })).toEqual(found("reader"));
  });

  test("that is refused, lacks its role or its file, or meets no service says so without the token", async () => {
    const sts = tokenService();
    const attempt = async (env: Record<string, string>, at = sts.url) => {
      const error = await find({ ...roleEnv(), ...env }, {}, { sts: at }).catch((problem) => problem);
      expect(`${error.message} ${error.hint}`).not.toContain("jwt");
      return error.code;
    };
    expect(await attempt({ AWS_ROLE_ARN: "arn:aws:iam::1:role/refused" })).toBe("CSP_STORE_DENIED");
    expect(await attempt({ AWS_ROLE_ARN: "" })).toBe("CSP_STORE_SETTINGS");
    expect(await attempt({ AWS_WEB_IDENTITY_TOKEN_FILE: join(home, "absent") })).toBe("CSP_STORE_SETTINGS");
    expect(await attempt({}, "http://127.0.0.1:1")).toBe("CSP_STORE_UNREACHABLE");
    const page = serve(() => new Response("<html>sign in</html>"));
    expect(await attempt({}, page.url)).toBe("CSP_STORE_UNREACHABLE");
    const down = serve(() => new Response("", { status: 503 }));
    expect(await attempt({}, down.url)).toBe("CSP_STORE_UNREACHABLE");
  });
});

describe("a role", () => {
  test("is assumed with the keys of another profile, or of the environment", async () => {
    const sts = tokenService();
    const config = `[profile base]
aws_access_key_id = base
aws_secret_access_key = base
[profile role]
role_arn = arn:aws:iam::1:role/role
source_profile = base
external_id = ext
duration_seconds = 900
[profile chain]
role_arn = arn:aws:iam::1:role/chain
source_profile = role
[profile env]
role_arn = arn:aws:iam::1:role/env
credential_source = Environment
[profile own]
role_arn = arn:aws:iam::1:role/own
source_profile = own
aws_access_key_id = own
aws_secret_access_key = own
[profile loop]
role_arn = arn:aws:iam::1:role/loop
source_profile = pool
[profile pool]
role_arn = arn:aws:iam::1:role/pool
source_profile = loop
[profile alone]
role_arn = arn:aws:iam::1:role/alone
[profile mfa]
role_arn = arn:aws:iam::1:role/mfa
source_profile = base
mfa_serial = arn:aws:iam::1:mfa/x
`;
    const assume = (profile: string) => find(keys, { config }, { sts: sts.url, profile });
    expect(await assume("role")).toEqual(found("role"));
    expect(Object.fromEntries(sts.forms[0] ?? [])).toMatchObject({ ExternalId: "ext", DurationSeconds: "900" });
    expect(sts.authorization[0]).toMatch(/Credential=base\/\d{8}\/us-east-1\/sts\/aws4_request/);
    expect(await assume("chain")).toEqual(found("chain"));
    expect(sts.authorization.at(-1)).toContain("Credential=role/");
    expect(await assume("env")).toEqual(found("env"));
    expect(sts.authorization.at(-1)).toContain("Credential=env-id/");
    expect(await assume("own")).toEqual(found("own"));
    expect(sts.authorization.at(-1)).toContain("Credential=own/");
    for (const profile of ["loop", "alone", "mfa"]) {
      await expect(assume(profile)).rejects.toMatchObject({ code: "CSP_STORE_SETTINGS" });
    }
  });
});

test("a role is assumed although the clock of this machine is off", async () => {
  const hours = 5 * 3_600_000;
  const sts = serve(({ headers }) => {
    const signed = headers.get("x-amz-date")?.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, "$1-$2-$3T$4:$5:$6Z") ?? "";
    const date = new Date(Date.now() + hours).toUTCString();
    if (Math.abs(Date.parse(signed) - Date.now() - hours) > 60_000)
      return new Response("", { status: 403, headers: { date } });
    const { AccessKeyId, SecretAccessKey, Token } = temporary("r");
    return new Response(
      `<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>${AccessKeyId}</AccessKeyId>
       <SecretAccessKey>${SecretAccessKey}</SecretAccessKey><SessionToken>${Token}</SessionToken></Credentials>
       </AssumeRoleResult></AssumeRoleResponse>`,
    );
  });
  const config = "[profile r]\nrole_arn=arn:aws:iam::1:role/r\ncredential_source=Environment\n";
  expect(await find(keys, { config }, { sts: sts.url, profile: "r" })).toMatchObject({ accessKeyId: "r" });
  expect(sts.asked).toHaveLength(2);
});

describe("a program", () => {
  const process = (command: string) => find({}, { config: `[default]\ncredential_process = ${command}\n` });

  test("gives credentials, and is run without a shell", async () => {
    const json = JSON.stringify({ Version: 1, ...temporary("process") });
    const program = join(home, "give keys");
    writeFileSync(program, `#!/bin/sh\n[ "$1" = '$HOME;x' ] && cat '${join(home, "json")}'\n`, { mode: 0o755 });
    writeFileSync(join(home, "json"), json);
    expect(await process(`"${program}" $HOME;x`)).toEqual(found("process"));
  });

  test("that leaves something running which keeps its output open is not waited for", async () => {
    writeFileSync(join(home, "json"), JSON.stringify({ Version: 1, ...temporary("process") }));
    const start = performance.now();
    expect(await process(`sh -c 'sleep 8 & cat "${join(home, "json")}"'`)).toEqual(found("process"));
    expect(performance.now() - start).toBeLessThan(6000);
  });

  test("that fails, prints something else or is not there is named, and what it printed is not", async () => {
    for (const command of [
      "sh -c 'echo s3cret; exit 3'",
      "echo s3cret",
      "printf {}",
      "/no/such/program",
      '"open',
      '""',
    ]) {
      const error = await process(command).catch((problem) => problem);
      expect({ command, code: error.code }).toEqual({ command, code: "CSP_STORE_SETTINGS" });
      expect(`${error.message} ${error.hint} ${error.cause}`).not.toContain("s3cret");
    }
  });

  test("words are split as a shell would, and nothing is expanded", () => {
    expect(commandWords("a  b\tc")).toEqual(["a", "b", "c"]);
    expect(commandWords(`a 'b c' "d e" f\\ g "h\\"i\\\\j\\k" '' x'y'z`)).toEqual([
      "a",
      "b c",
      "d e",
      "f g",
      'h"i\\j\\k',
      "",
      "xyz",
    ]);
    expect(commandWords("$(id) `id` *")).toEqual(["$(id)", "`id`", "*"]);
    expect(commandWords("")).toEqual([]);
    expect(commandWords("a 'b")).toBeUndefined();
  });

  test("a profile that signs in interactively says how to get keys", async () => {
    const config = "[profile sso]\nsso_session = x\nsso_account_id = 1\n";
    await expect(find({}, { config }, { profile: "sso" })).rejects.toMatchObject({
      code: "CSP_STORE_SETTINGS",
      hint: expect.stringContaining("aws configure export-credentials --profile sso --format env"),
    });
  });
});

/** The metadata service of an instance. */
function instanceService(): { url: string; asked: string[] } {
  const path = "/latest/meta-data/iam/security-credentials/";
  return serve(({ method, url, headers }) => {
    const { pathname } = new URL(url);
    if (method === "PUT" && pathname === "/latest/api/token" && headers.has("x-aws-ec2-metadata-token-ttl-seconds")) {
      return new Response("imds-token");
    }
    if (headers.get("x-aws-ec2-metadata-token") !== "imds-token") return new Response("", { status: 401 });
    if (pathname === path) return new Response("the-role\n");
    return pathname === `${path}the-role` ? Response.json(temporary("instance")) : new Response("", { status: 404 });
  });
}

describe("the machine", () => {
  test("an instance is asked by the second version, and in vain by none", async () => {
    const service = instanceService();
    const env = { AWS_EC2_METADATA_DISABLED: "", AWS_EC2_METADATA_SERVICE_ENDPOINT: service.url };
    expect(await find(env)).toEqual(found("instance"));
    expect(service.asked[0]).toBe("PUT /latest/api/token");
    const other = serve(() => new Response("<html>", { status: 404 }));
    expect(await find({ ...env, AWS_EC2_METADATA_SERVICE_ENDPOINT: other.url })).toBeUndefined();
    expect(await find({ ...env, AWS_EC2_METADATA_SERVICE_ENDPOINT: "http://127.0.0.1:1" })).toBeUndefined();
  });

  test("a container's agent is given its token, from the file before the variable", async () => {
    const tokens: (string | null)[] = [];
    const agent = serve(({ headers }) => {
      tokens.push(headers.get("authorization"));
      return Response.json(temporary("container"));
    });
    const env = { AWS_CONTAINER_CREDENTIALS_FULL_URI: agent.url, AWS_CONTAINER_AUTHORIZATION_TOKEN: "variable" };
    expect(await find(env)).toEqual(found("container"));
    writeFileSync(join(home, "token"), "file\n");
    expect(await find({ ...env, AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: join(home, "token") })).toBeDefined();
    expect(tokens).toEqual(["variable", "file"]);
  });

  test("a container's agent is on this machine, or speaks TLS", async () => {
    for (const url of ["http://evil.example.com/x", "http://169.254.170.2.example.com/", "ftp://127.0.0.1/", "x"]) {
      const attempt = find({ AWS_CONTAINER_CREDENTIALS_FULL_URI: url, AWS_CONTAINER_AUTHORIZATION_TOKEN: "t" });
      await expect(attempt).rejects.toMatchObject({ code: "CSP_STORE_SETTINGS" });
    }
    const relative = { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: "@evil.example.com/x" };
    await expect(find(relative)).rejects.toMatchObject({ code: "CSP_STORE_SETTINGS" });
  });

  test("a container's agent in trouble is worth another try", async () => {
    const agent = serve(() => new Response("", { status: 500 }));
    const attempt = find({ AWS_CONTAINER_CREDENTIALS_FULL_URI: agent.url });
    await expect(attempt).rejects.toMatchObject({ code: "CSP_STORE_UNREACHABLE" });
  });
});

describe("renewal", () => {
  const minute = 60_000;

  function source(lifetime: number | undefined) {
    let now = 1_000_000;
    let searches = 0;
    let broken = false;
    const renewing = createCredentialSource(
      async () => {
        searches++;
        if (broken) return undefined;
        const secret = `secret ${searches}`;
        return {
          accessKeyId: "id",
          secretAccessKey: secret,
          ...(lifetime === undefined ? {} : { expires: now + lifetime }),
        };
      },
      () => new Error("none"),
      () => now,
    );
    return {
      renewing,
      pass: (ms: number) => {
        now += ms;
      },
      breakIt: () => {
        broken = true;
      },
      searches: () => searches,
    };
  }

  test("five minutes before the end, once for all that ask at once", async () => {
    const { renewing, pass, searches } = source(60 * minute);
    await Promise.all([renewing.current(), renewing.current(), renewing.current()]);
    pass(54 * minute);
    await renewing.current();
    expect(searches()).toBe(1);
    pass(2 * minute);
    await Promise.all([renewing.current(), renewing.current()]);
    expect(searches()).toBe(2);
  });

  test("short ones at half their life, lasting ones never", async () => {
    const short = source(4 * minute);
    await short.renewing.current();
    short.pass(minute);
    await short.renewing.current();
    expect(short.searches()).toBe(1);
    short.pass(1.5 * minute);
    await short.renewing.current();
    expect(short.searches()).toBe(2);
    const lasting = source(undefined);
    await lasting.renewing.current();
    lasting.pass(1e12);
    await lasting.renewing.current();
    expect(lasting.searches()).toBe(1);
  });

  test("that fails leaves the old ones in use to their end", async () => {
    const { renewing, pass, breakIt, searches } = source(10 * minute);
    await renewing.current();
    breakIt();
    pass(6 * minute);
    expect(await renewing.current()).toMatchObject({ secretAccessKey: "secret 1" });
    expect(await renewing.current()).toMatchObject({ secretAccessKey: "secret 1" });
    expect(searches()).toBe(2);
    pass(5 * minute);
    await expect(renewing.current()).rejects.toThrow("none");
  });

  test("what the service refused is looked up anew, once for all", async () => {
    const { renewing, searches } = source(undefined);
    const refused = await renewing.current();
    const others = await Promise.all([renewing.other(refused), renewing.other(refused)]);
    expect(others).toEqual([others[0], others[0]]);
    expect(others[0]).toMatchObject({ secretAccessKey: "secret 2" });
    expect(await renewing.other(refused)).toMatchObject({ secretAccessKey: "secret 2" });
    expect(searches()).toBe(2);
  });

  test("a store goes on with new keys when the old ones expire", async () => {
    const expired = "<Error><Code>ExpiredToken</Code></Error>";
    const clone = startClone({
      spoil: ({ headers }) =>
        headers.get("x-amz-security-token") === "new" ? undefined : new Response(expired, { status: 400 }),
    });
    stops.push(clone.stop);
    const file = join(home, ".aws/credentials");
    const write = (token: string): void =>
      writeFileSync(file, `[default]\naws_access_key_id=a\naws_secret_access_key=b\naws_session_token=${token}\n`);
    write("old");
    const env = { AWS_ENDPOINT_URL_S3: clone.endpoint, AWS_EC2_METADATA_DISABLED: "true" };
    const store = openS3Store("s3://bucket/p", { env, home, userAgent: "t" });
    await expect(store.root.read("1")).rejects.toMatchObject({ code: "CSP_STORE_DENIED" });
    expect(clone.seen).toHaveLength(1);
    write("new");
    expect(await store.root.read("1")).toBe("unchanged");
    expect(clone.seen).toHaveLength(3);
  });
});

describe("the files", () => {
  test("are read as the AWS tools read them", () => {
    const sections = parseSections(
      `\ufeff# comment
; comment
key = before any section
[default]
region = eu-west-1   
AWS_Access_Key_Id=AKID
aws_secret_access_key = a=b#c;d
s3 =
  addressing_style = path
   max = 3
region2 = x
  indented = without a block
[profile  "with space"]
a=1\r
[ profile with space ]
b=2
not a setting
[__proto__]
x = 1
`,
    );
    expect([...sections.keys()]).toEqual(["default", "profile with space", "__proto__"]);
    expect(Object.fromEntries(sections.get("default") ?? [])).toEqual({
      region: "eu-west-1",
      aws_access_key_id: "AKID",
      aws_secret_access_key: "a=b#c;d",
      s3: "",
      "s3.addressing_style": "path",
      "s3.max": "3",
      region2: "x",
    });
    expect(Object.fromEntries(sections.get("profile with space") ?? [])).toEqual({ a: "1", b: "2" });
  });

  test("that cannot be read are named", () => {
    const env = { AWS_CONFIG_FILE: home };
    expect(() => readProfiles(undefined, { env, home })).toThrow("cannot be read (EISDIR)");
  });
});
