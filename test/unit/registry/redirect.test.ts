// biome-ignore-all lint/suspicious/noTemplateCurlyInString: npm writes variables like that
import { describe, expect, test } from "bun:test";
import { clientOf, failureOf, serve, type TestServer } from "./support.ts";

const q = { name: "q", version: "1.0.0" };
const limit = { maxBytes: 1000 };
const redirect = (location: string, status = 302): Response => new Response(null, { status, headers: { location } });
const authorizations = (server: TestServer): (string | null)[] =>
  server.seen.map(({ headers }) => headers.get("authorization"));

describe("redirects", () => {
  test.each([301, 302, 303, 307, 308])("%d is followed on the same origin with the credentials", async (status) => {
    using server = serve((request) =>
      new URL(request.url).pathname === "/moved" ? new Response("bytes") : redirect("/moved", status),
    );
    const client = clientOf(`registry=${server.url}\n//${server.host}/:_authToken=t`);
    expect((await client.tarballBytes(q, limit)).byteLength).toBe(5);
    expect(authorizations(server)).toEqual(["Bearer t", "Bearer t"]);
  });

  test("another origin gets nothing but what every request has", async () => {
    using other = serve(() => new Response("bytes"));
    using server = serve(() => redirect(`${other.url}x?sig=1`));
    // The other host's own token stays at home too: nobody asked that host.
    const client = clientOf(
      `registry=${server.url}\n//${server.host}/:_authToken=t\n//${other.host}/:_authToken=other`,
    );
    expect((await client.tarballBytes(q, limit)).byteLength).toBe(5);
    expect(authorizations(server)).toEqual(["Bearer t"]);
    const usual = ["accept", "accept-encoding", "connection", "host", "user-agent"];
    expect([...(other.seen[0]?.headers.keys() ?? [])].filter((name) => !usual.includes(name))).toEqual([]);
    expect(other.seen[0]?.path).toBe("/x?sig=1");
  });

  test("nor does another path of the same origin, or the way back", async () => {
    using server = serve((request) => {
      const { pathname } = new URL(request.url);
      if (pathname.startsWith("/npm/q")) return redirect("/elsewhere");
      return pathname === "/elsewhere" ? redirect("/npm/back") : new Response("bytes");
    });
    const client = clientOf(`registry=${server.url}npm\n//${server.host}/npm/:_authToken=t`);
    await client.tarballBytes(q, limit);
    expect(authorizations(server)).toEqual(["Bearer t", null, "Bearer t"]);
  });

  test("in a circle, and without end", async () => {
    using circle = serve(() => redirect("/a"));
    expect((await failureOf(() => clientOf(`registry=${circle.url}`).tarballBytes(q, limit))).message).toContain(
      "in a circle",
    );
    using endless = serve((_, attempt) => redirect(`/${attempt}`));
    const failure = await failureOf(() => clientOf(`registry=${endless.url}`, { retries: 3 }).tarballBytes(q, limit));
    expect([failure.code, endless.seen.length]).toEqual(["CSP_REGISTRY_ANSWER", 6]);
    expect(failure.message).toContain("more than 5 times");
  });

  test.each(["ftp://x.example/", "file:///etc/passwd", "http://u:p@x.example/", "http://[", "data:text/plain,x"])(
    "to %s are not followed",
    async (location) => {
      using server = serve(() => redirect(location));
      const failure = await failureOf(() => clientOf(`registry=${server.url}`).tarballBytes(q, limit));
      expect(failure.code).toBe("CSP_REGISTRY_ANSWER");
      expect(failure.message).toContain("not a plain URL");
    },
  );

  test("without a target are an odd status", async () => {
    using server = serve(() => new Response(null, { status: 302 }));
    const failure = await failureOf(() => clientOf(`registry=${server.url}`).tarballBytes(q, limit));
    expect(failure.code).toBe("CSP_REGISTRY_ANSWER");
  });

  test.skipIf(Bun.which("openssl") === null)("from https to http are not followed (needs openssl)", async () => {
    using plain = serve(() => new Response("bytes"));
    using secure = serveSecure(() => redirect(plain.url));
    const client = clientOf(`registry=${secure.url}\nca="${secure.certificate.replaceAll("\n", "\\n")}"`);
    const failure = await failureOf(() => client.tarballBytes(q, limit));
    expect(failure.code).toBe("CSP_REGISTRY_ANSWER");
    expect(failure.message).toContain("from https to http");
    expect(plain.seen).toEqual([]);
  });

  test.skipIf(Bun.which("openssl") === null)(
    "a certificate of nobody known is told at once (needs openssl)",
    async () => {
      using secure = serveSecure(() => new Response("bytes"));
      const failure = await failureOf(() =>
        clientOf(`registry=${secure.url}`, { retries: 3, backoff: { baseMs: 60_000, maxMs: 60_000 } }).tarballBytes(
          q,
          limit,
        ),
      );
      expect(failure.message).toContain("certificate that is not trusted");
      expect(failure.hint).toContain("cafile");
      const trusting = clientOf(`registry=${secure.url}\nca="${secure.certificate.replaceAll("\n", "\\n")}"`);
      expect((await trusting.tarballBytes(q, limit)).byteLength).toBe(5);
    },
  );
});

function serveSecure(answer: () => Response): Disposable & { url: string; certificate: string } {
  const made = Bun.spawnSync([
    "openssl",
    ..."req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout - -days 2 -subj /CN=127.0.0.1".split(
      " ",
    ),
    "-addext",
    "subjectAltName=IP:127.0.0.1",
  ]).stdout.toString();
  const block = (name: string): string =>
    new RegExp(`-----BEGIN ${name}-----[\\s\\S]*?-----END ${name}-----\\n`).exec(made)?.[0] ?? "";
  const certificate = block("CERTIFICATE");
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    tls: { key: block("PRIVATE KEY"), cert: certificate },
    fetch: answer,
  });
  return {
    url: `https://127.0.0.1:${server.port}/`,
    certificate,
    [Symbol.dispose]: () => void server.stop(true),
  };
}
