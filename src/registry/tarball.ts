/** Package tarballs: their URL, bytes and size. */
import { CspError } from "../core/errors.ts";
import { tarballUrl } from "../core/tarball-path.ts";
import { announcedLength, isEncoded, readBody, streamBody, undoEncoding } from "./body.ts";
import { htmlAnswer } from "./failures.ts";
import { type Answer, ask, type Question, type RequestContext } from "./request.ts";

/** Which tarball. `path` is the lockfile's, where the registry keeps it in an unusual place. */
export interface TarballRequest {
  name: string;
  version: string;
  path?: string | undefined;
}

export interface TarballStream {
  /** The URL that answered, after redirects; it may hold a signature in its query, so it is not for messages. */
  url: string;
  size: number | undefined;
  body: ReadableStream<Uint8Array>;
}

/** The whole tarball, repeated from the start where the connection breaks. The bytes are not checked against any hash. */
export function fetchTarball(context: RequestContext, pkg: TarballRequest, maxBytes: number): Promise<Uint8Array> {
  const question = tarballQuestion(context, pkg, "GET");
  return ask(context, question, async (answer) => {
    refuseHtml(question, answer);
    const body = await readBody(context, question, answer, maxBytes);
    if (!("value" in body) || !isEncoded(answer.response)) return body;
    return { value: undoEncoding(question, answer, body.value, maxBytes) };
  });
}

/** The tarball as a stream; once it has begun, a break is the stream's error and is not repeated. */
export function openTarball(context: RequestContext, pkg: TarballRequest, maxBytes: number): Promise<TarballStream> {
  const question = tarballQuestion(context, pkg, "GET");
  return ask(context, question, async (answer) => {
    refuseHtml(question, answer);
    const url = answer.url.href;
    if (!isEncoded(answer.response)) {
      const size = announcedLength(answer.response);
      return { value: { url, size, body: streamBody(context, question, answer, maxBytes) } };
    }
    const whole = await readBody(context, question, answer, maxBytes);
    if (!("value" in whole)) return whole;
    const bytes = undoEncoding(question, answer, whole.value, maxBytes);
    return { value: { url, size: bytes.byteLength, body: new Blob([bytes as Uint8Array<ArrayBuffer>]).stream() } };
  });
}

/** The size in bytes that the registry announces; undefined where it does not say. */
export async function askTarballSize(context: RequestContext, pkg: TarballRequest): Promise<number | undefined> {
  const question = tarballQuestion(context, pkg, "HEAD");
  try {
    return await ask(context, question, async (answer) => {
      answer.watch.end();
      return { value: announcedLength(answer.response) };
    });
  } catch (error) {
    // Some registries do not know HEAD.
    if (error instanceof CspError && isUnsupported(error.data.status)) return undefined;
    throw error;
  }
}

function isUnsupported(status: unknown): boolean {
  return status === 400 || status === 405 || status === 501;
}

function tarballQuestion(context: RequestContext, pkg: TarballRequest, method: "GET" | "HEAD"): Question {
  const registryUrl = context.configuration.registryFor(pkg.name).url;
  const url = tarballUrl(registryUrl, pkg.name, pkg.version, pkg.path);
  const what = `\`${pkg.name}@${pkg.version}\``;
  if (url === undefined) {
    throw new CspError("CSP_LOCKFILE_FOREIGN_TARBALL", {
      message: `the tarball of ${what} has a path that is not inside its registry`,
      hint: "remove the path from the lockfile and run `csp lock`",
    });
  }
  return { subject: { what, registryUrl }, url, method, accept: "*/*", decompress: false };
}

function refuseHtml(question: Question, answer: Answer): void {
  if (!/^\s*text\/html\b/i.test(answer.response.headers.get("content-type") ?? "")) return;
  answer.watch.abort();
  throw htmlAnswer(question.subject, answer.url);
}
