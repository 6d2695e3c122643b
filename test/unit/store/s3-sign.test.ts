/** Signatures, compared with the examples that AWS publishes for S3. */
import { expect, test } from "bun:test";
import { awsEncoded, type S3Credentials, signedHeaders, type Unsigned } from "../../../src/store/s3/sign.ts";

const example: S3Credentials = {
  accessKeyId: "AKIAIOSFODNN7EXAMPLE",
  secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
};
const scope = { region: "us-east-1", service: "s3", at: Date.UTC(2013, 4, 24) } as const;

function sign(request: Partial<Unsigned> & { url: URL }, credentials = example): Record<string, string> {
  return signedHeaders({ method: "GET", headers: {}, body: undefined, ...request }, credentials, scope);
}

function signature(headers: Record<string, string>): string | undefined {
  return /Signature=([0-9a-f]{64})$/.exec(headers.authorization ?? "")?.[1];
}

test("GET of an object", () => {
  const url = new URL("https://examplebucket.s3.amazonaws.com/test.txt");
  const headers = sign({ url, headers: { range: "bytes=0-9" } });
  expect(headers).toEqual({
    range: "bytes=0-9",
    "x-amz-content-sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "x-amz-date": "20130524T000000Z",
    authorization:
      "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request," +
      "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date," +
      "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
  });
});

test("PUT of an object whose name is encoded", () => {
  const headers = sign({
    method: "PUT",
    url: new URL(`https://examplebucket.s3.amazonaws.com/${awsEncoded("test$file.text")}`),
    headers: { date: "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY" },
    body: new TextEncoder().encode("Welcome to Amazon S3."),
  });
  expect(headers["x-amz-content-sha256"]).toBe("44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072");
  expect(signature(headers)).toBe("98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
});

test("a query without a value", () => {
  const url = new URL("https://examplebucket.s3.amazonaws.com/?lifecycle");
  expect(signature(sign({ url }))).toBe("fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
});

test("a query, in any order", () => {
  for (const query of ["max-keys=2&prefix=J", "prefix=J&max-keys=2"]) {
    const url = new URL(`https://examplebucket.s3.amazonaws.com/?${query}`);
    expect(signature(sign({ url }))).toBe("34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
  }
});

test("a session's token goes along and is signed; another service and region give another signature", () => {
  const url = new URL("https://s3.example.com:9000/bucket/key");
  const plain = sign({ url });
  const temporary = sign({ url }, { ...example, sessionToken: "token" });
  expect(temporary["x-amz-security-token"]).toBe("token");
  expect(temporary.authorization).toContain("SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token,");
  expect(signature(temporary)).not.toBe(signature(plain));
  const request = { method: "GET", url, headers: {}, body: undefined };
  for (const other of [{ region: "eu-west-1" }, { service: "sts" as const }, { at: scope.at + 1000 }]) {
    expect(signature(signedHeaders(request, example, { ...scope, ...other }))).not.toBe(signature(plain));
  }
  expect(JSON.stringify(temporary)).not.toContain(example.secretAccessKey);
});

test("encoding leaves letters, digits and four signs", () => {
  expect(awsEncoded("aZ09-._~ !'()*+/é")).toBe("aZ09-._~%20%21%27%28%29%2A%2B%2F%C3%A9");
});
