/** Whether a bucket can be written by many at once, found out with two conditional writes to a name of no consequence. */
import { isCspError } from "../../core/errors.ts";
import { type Capabilities, randomNonce } from "../store.ts";
import { checksum } from "./blobs.ts";
import type { S3Client, S3Request } from "./client.ts";

/** Throws what requests throw where no answer is to be had. Leaves nothing where deleting is allowed. */
export async function probe(client: S3Client): Promise<Capabilities> {
  const key = `probe/${await randomNonce()}`;
  const write = (text: string) => {
    const body = new TextEncoder().encode(text);
    const request: S3Request = {
      method: "PUT",
      key,
      body,
      headers: { "content-type": "text/plain", ...checksum(body), "if-none-match": "*" },
      action: `write \`${key}\``,
      expect: [200, 412, 501, "InvalidArgument", "InvalidRequest"],
    };
    return client.send(request);
  };
  let first: Awaited<ReturnType<typeof write>>;
  try {
    first = await write("first");
  } catch (error) {
    if (!isCspError(error, "CSP_STORE_DENIED")) throw error;
    return { writers: "none", why: `these credentials may not write \`${client.address.prefix}probe/*\`` };
  }
  // Nobody else drew this key: it was written, the answer was lost, and `fetch` sent the request again by itself.
  if (first.status !== 200 && first.status !== 412) return ignorant(first.status);
  try {
    const second = await write("second");
    if (second.status === 412) return { writers: "many" };
    return second.status === 200
      ? { writers: "none", why: "it overwrites objects in spite of `If-None-Match: *`" }
      : ignorant(second.status);
  } finally {
    await client.send({ method: "DELETE", key, action: `delete \`${key}\``, expect: [200, 204, 404] }).catch(() => {});
  }
}

function ignorant(status: number): Capabilities {
  return { writers: "none", why: `it refuses conditional writes (\`If-None-Match: *\` is answered with ${status})` };
}
