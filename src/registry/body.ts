/** Reading a body within limits. */
import { gunzipSync } from "node:zlib";
import { joined } from "../net/join.ts";
import { badAnswer, unreachable } from "./failures.ts";
import { type Answer, type Failed, interrupted, type Question, type RequestContext } from "./request.ts";

/**
 * The whole body, in an ArrayBuffer of its own (so it can be transferred to a worker). Fails where it is longer than `maxBytes` (throws) or shorter than announced (may be repeated). Always
 * ends the answer's watch.
 */
export async function readBody(
  context: RequestContext,
  question: Question,
  answer: Answer,
  maxBytes: number,
): Promise<{ value: Uint8Array } | Failed> {
  const { response, url, watch } = answer;
  const announced = announcedLength(response);
  if (announced !== undefined && announced > maxBytes) throw tooLarge(question, answer, maxBytes);
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    const reader = response.body?.getReader();
    while (reader) {
      const { done, value } = await reader.read();
      if (done) break;
      watch.touch();
      length += value.byteLength;
      if (length > maxBytes) break;
      chunks.push(value);
    }
  } catch (error) {
    return interrupted(context, question, url, watch, error);
  }
  if (length > maxBytes) throw tooLarge(question, answer, maxBytes);
  watch.end();
  if (announced !== undefined && announced !== length) {
    const problem = `announced ${announced} bytes and sent ${length}`;
    return { failure: unreachable(question.subject, url, problem), retryAfterMs: undefined };
  }
  return { value: joined(chunks, length) };
}

/** The body as it arrives, with the same limits; a failure is an error of the stream. */
export function streamBody(
  context: RequestContext,
  question: Question,
  answer: Answer,
  maxBytes: number,
): ReadableStream<Uint8Array> {
  const { response, url, watch } = answer;
  const announced = announcedLength(response);
  if (announced !== undefined && announced > maxBytes) throw tooLarge(question, answer, maxBytes);
  const reader = response.body?.getReader();
  let length = 0;
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      watch.touch();
      let chunk: Uint8Array | undefined;
      try {
        chunk = (await reader?.read())?.value;
      } catch (error) {
        throw interrupted(context, question, url, watch, error).failure;
      }
      // Time that the consumer takes is not the server's silence.
      watch.rest();
      if (chunk) {
        length += chunk.byteLength;
        if (length > maxBytes) throw tooLarge(question, answer, maxBytes);
        controller.enqueue(chunk);
        return;
      }
      watch.end();
      if (announced !== undefined && announced !== length) {
        throw unreachable(question.subject, url, `announced ${announced} bytes and sent ${length}`);
      }
      controller.close();
    },
    cancel() {
      watch.abort();
    },
  });
}

/** `Content-Length` where it counts the bytes that the reader sees; undefined where it does not or is no number. */
export function announcedLength(response: Response): number | undefined {
  const text = response.headers.get("content-length");
  if (text === null || isEncoded(response) || !/^\d{1,15}$/.test(text)) return undefined;
  return Number(text);
}

/** True where the server says that it transformed the body for the way. */
export function isEncoded(response: Response): boolean {
  const encoding = response.headers.get("content-encoding")?.trim().toLowerCase();
  return encoding !== undefined && encoding !== "" && encoding !== "identity";
}

/**
 * A tarball that came with `Content-Encoding: gzip`. Servers mean two things by it: the tarball's own compression, then
 * the bytes are the tarball; or one more layer, then what is below it is a gzip again. Anything else is refused.
 */
export function undoEncoding(question: Question, answer: Answer, bytes: Uint8Array, maxBytes: number): Uint8Array {
  const encoding = answer.response.headers.get("content-encoding")?.trim().toLowerCase() ?? "";
  if (encoding !== "gzip" && encoding !== "x-gzip") {
    throw badAnswer(question.subject, answer.url, "has a content encoding that was not asked for");
  }
  try {
    const inner = gunzipSync(bytes, { maxOutputLength: maxBytes });
    return inner[0] === 0x1f && inner[1] === 0x8b ? inner : bytes;
  } catch {
    // Too large to be a gzip of a tarball within the limit, or no gzip at all: the hash decides.
    return bytes;
  }
}

function tooLarge(question: Question, answer: Answer, maxBytes: number): Error {
  answer.watch.abort();
  return badAnswer(question.subject, answer.url, `is larger than the limit of ${maxBytes} bytes`);
}
