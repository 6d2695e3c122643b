/** What is concluded from how a bucket takes conditional writes where answers get lost. */
import { expect, test } from "bun:test";
import { openS3Store } from "../../../src/store/s3.ts";
import { type Clone, s3Error, startClone } from "./s3-clone.ts";

/** The first write is answered as if the key were there; `written`: because it is. */
async function probed(written: boolean): Promise<string> {
  const clone: Clone = startClone({
    spoil({ method, url }, before) {
      if (method !== "PUT" || before > 0) return undefined;
      if (written) clone.objects.set(url, new Uint8Array(1));
      return s3Error(412, "PreconditionFailed");
    },
  });
  const store = openS3Store("s3://bucket/p", { env: clone.env, home: undefined, userAgent: "csp/test" });
  try {
    const { writers } = await store.capabilities();
    expect([...clone.objects.keys()]).toEqual([]);
    return writers;
  } finally {
    await store.close();
    clone.stop();
  }
}

test("a write whose answer was lost, and which was sent again, is no refusal of conditional writes", async () => {
  expect(await probed(true)).toBe("many");
});

test("a service that refuses the first write and takes the second is not trusted", async () => {
  expect(await probed(false)).toBe("none");
});
