/** Where requests and answers end, in the protocols of stores. Each connection carries one request at a time. */

export interface Wire {
  /** True where these bytes, all that came since the last answer, are a whole request. */
  isWholeRequest(bytes: Buffer): boolean;
  /** True where these bytes are all of the answer to that request. */
  isWholeAnswer(bytes: Buffer, request: Buffer): boolean;
  /** The request in a few words, for messages. */
  label(request: Buffer): string;
}

export const http: Wire = {
  isWholeRequest: (bytes) => isWholeMessage(bytes, true),
  isWholeAnswer: (bytes, request) => isWholeMessage(bytes, false, /^HEAD /.test(request.toString("latin1", 0, 5))),
  label: (request) => request.toString("latin1", 0, request.indexOf("\r\n")).replace(/ HTTP\/.*$/, ""),
};

function isWholeMessage(bytes: Buffer, isRequest: boolean, isHead = false): boolean {
  const end = bytes.indexOf("\r\n\r\n");
  if (end < 0) return false;
  const head = bytes.toString("latin1", 0, end).toLowerCase();
  const body = bytes.subarray(end + 4);
  if (isHead || /^http\/1\.1 (?:204|304)/.test(head)) return true;
  if (/\r\ntransfer-encoding:\s*chunked/.test(head)) return hasLastChunk(body);
  const length = /\r\ncontent-length:\s*(\d+)/.exec(head)?.[1];
  return length === undefined ? isRequest : body.length >= Number(length);
}

function hasLastChunk(body: Buffer): boolean {
  for (let start = 0; ; ) {
    const line = body.indexOf("\r\n", start);
    if (line < 0) return false;
    const size = Number.parseInt(body.toString("latin1", start, line), 16);
    if (size === 0) return body.indexOf("\r\n\r\n", line) === line || body.indexOf("\r\n\r\n", line) > 0;
    start = line + 2 + size + 2;
    if (start > body.length) return false;
  }
}

/** Postgres without TLS: a request is what the client says until it waits for the server. */
export const postgres: Wire = {
  isWholeRequest(bytes) {
    if (bytes[0] === 0) return bytes.length >= 4 && bytes.length >= bytes.readUInt32BE(0);
    const last = frames(bytes)?.at(-1);
    return last !== undefined && "QSHpcfX".includes(last.type);
  },
  isWholeAnswer(bytes, request) {
    // What answers the question whether there is TLS is one letter.
    if (request.length === 8 && request[0] === 0) return bytes.length > 0;
    const last = frames(bytes)?.at(-1);
    if (last === undefined) return false;
    return last.type === "Z" || last.type === "G" || (last.type === "R" && bytes.readUInt32BE(last.at + 5) !== 0);
  },
  label: (request) =>
    request[0] === 0
      ? "connect"
      : request
          .toString("latin1", 0, 90)
          .replace(/[^ -~]+/g, " ")
          .trim(),
};

/** The messages in these bytes; undefined where the last one is not complete. */
function frames(bytes: Buffer): { type: string; at: number }[] | undefined {
  const found: { type: string; at: number }[] = [];
  let at = 0;
  while (at + 5 <= bytes.length) {
    found.push({ type: String.fromCharCode(bytes[at] as number), at });
    at += 1 + bytes.readUInt32BE(at + 1);
  }
  return at === bytes.length ? found : undefined;
}
