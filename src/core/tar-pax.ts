/** PAX extended headers: the few records that change what an entry is. */
import { decodeText } from "./tar-header.ts";
import { tarRefusal } from "./tar-rules.ts";

/** What extended headers say of the entry that follows them. Empty values are as good as absent. */
export interface PaxFields {
  path?: string;
  linkPath?: string;
  size?: number;
}

/**
 * Reads `length key=value\n` records. Unknown keys are skipped; sparse files are refused, since their stored bytes are
 * not their content.
 */
export function parsePax(bytes: Buffer): PaxFields {
  const fields: PaxFields = {};
  let at = 0;
  while (at < bytes.length) {
    let length = 0;
    let digits = 0;
    while (at + digits < bytes.length && digits < 9) {
      const byte = bytes[at + digits] as number;
      if (byte < 0x30 || byte > 0x39) break;
      length = length * 10 + byte - 0x30;
      digits++;
    }
    const end = at + length;
    if (digits === 0 || bytes[at + digits] !== 0x20 || length < digits + 4) throw malformed();
    const equals = bytes.indexOf(0x3d, at + digits + 1);
    // Also where the record would end behind the last byte.
    if (bytes[end - 1] !== 0x0a || equals < 0 || equals >= end) throw malformed();
    readRecord(fields, bytes, at + digits + 1, equals, end - 1);
    at = end;
  }
  return fields;
}

function readRecord(fields: PaxFields, bytes: Buffer, from: number, equals: number, end: number): void {
  const key = bytes.toString("latin1", from, equals);
  if (key === "path") {
    if (end > equals + 1) fields.path = decodeText(bytes, equals + 1, end);
    else delete fields.path;
  } else if (key === "linkpath") {
    if (end > equals + 1) fields.linkPath = decodeText(bytes, equals + 1, end);
    else delete fields.linkPath;
  } else if (key === "size") {
    const text = bytes.toString("latin1", equals + 1, end);
    if (!/^\d{1,15}$/.test(text)) throw tarRefusal("number", "an extended header has a size that is not a number");
    fields.size = Number(text);
  } else if (key.startsWith("GNU.sparse.")) {
    throw tarRefusal("sparse", "the archive holds a sparse file, which a package cannot");
  }
}

function malformed() {
  return tarRefusal("pax", "an extended header of the archive is malformed");
}
