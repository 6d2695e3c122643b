import { expect, test } from "bun:test";
import { inspect } from "node:util";
import { createRegistryClient } from "../../../src/registry/client.ts";
import { configureUser, serve } from "./support.ts";

const token = "canary-token-7f3a";
const q = { name: "q", version: "1.0.0" };
const other = `http://u:${token}@127.0.0.1:1/?${token}`;

/** Everything about an error that could reach a screen, a log or a file. */
function everythingOf(error: unknown): string {
  const parts: string[] = [];
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    parts.push(
      cause.message,
      cause.stack ?? "",
      JSON.stringify(cause),
      inspect(cause, { depth: 10, showHidden: true }),
    );
  }
  return parts.join("\n");
}

const answers: [what: string, answer: () => Response][] = [
  [
    "401",
    () =>
      new Response(token, {
        status: 401,
        statusText: token,
        headers: { "www-authenticate": `Bearer realm="${token}"` },
      }),
  ],
  ["403", () => new Response(token, { status: 403 })],
  ["404", () => new Response(token, { status: 404 })],
  ["407", () => new Response(token, { status: 407 })],
  ["429", () => new Response(token, { status: 429 })],
  ["500", () => new Response(token, { status: 500 })],
  ["418", () => new Response(token, { status: 418 })],
  ["HTML", () => new Response(`<${token}>`, { headers: { "content-type": "text/html" } })],
  ["no JSON", () => new Response(`{"${token}`)],
  ["another package", () => Response.json({ name: token })],
  ["too large", () => new Response(token.repeat(1000))],
  ["an encoding", () => new Response(token, { headers: { "content-encoding": token } })],
  ["a redirect with credentials", () => new Response("", { status: 302, headers: { location: other } })],
  [
    "a redirect with a signature",
    () => new Response("", { status: 302, headers: { location: `http://127.0.0.1:1/?${token}` } }),
  ],
  [
    "a redirect to itself with a signature",
    () => new Response("", { status: 302, headers: { location: `/?${token}` } }),
  ],
  ["silence", () => new Response(new ReadableStream({ pull: () => new Promise(() => {}) }))],
];

test.each(answers)("no error shows a secret: %s", async (what, answer) => {
  using server = serve(answer);
  const password = Buffer.from(`user:${token}`).toString("base64");
  for (const credential of [`_authToken=${token}`, `_auth=${password}`]) {
    const client = createRegistryClient({
      configuration: configureUser(`registry=${server.url}\n//${server.host}/:${credential}`),
      userAgent: "csp/test",
      timeouts: { idleMs: what === "silence" ? 100 : 10_000, totalMs: 10_000 },
      retries: 0,
    });
    const requests = [
      () => client.packument("q", { full: true }),
      () => client.tarballBytes(q, { maxBytes: 10 }),
      async () => new Response((await client.tarball(q, { maxBytes: 10 })).body).bytes(),
      () => client.tarballSize(q),
    ];
    let failures = 0;
    for (const request of requests) {
      try {
        await request();
      } catch (error) {
        failures++;
        const shown = everythingOf(error);
        expect(shown).not.toContain(token);
        expect(shown).not.toContain(password);
      }
    }
    expect(failures).toBeGreaterThan(0);
    // Otherwise the test would prove nothing about the token that was sent.
    expect(server.seen[0]?.headers.get("authorization")).toBeTruthy();
  }
});
