/** Fields of one 512-byte tar header block, as POSIX ustar, GNU tar and the Unix V7 tar wrote them. */
import { tarRefusal } from "./tar-rules.ts";

export const blockSize = 512;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Whether a block is all zero (part of the end of the archive), sound, or has a wrong checksum. */
export function checkBlock(block: Uint8Array, at: number): "zero" | "sound" | "unsound" {
  let sum = 0;
  for (let i = at; i < at + blockSize; i++) sum += block[i] as number;
  if (sum === 0) return "zero";
  let stored = 0;
  let own = 0;
  let digits = 0;
  for (let i = at + 148; i < at + 156; i++) {
    const byte = block[i] as number;
    own += byte;
    // Digits up to the first NUL or space; leading spaces are padding.
    if (byte >= 0x30 && byte <= 0x37) {
      if (digits < 0) return "unsound";
      stored = stored * 8 + byte - 0x30;
      digits++;
    } else if (byte !== 0 && byte !== 0x20) return "unsound";
    else if (digits > 0) digits = -1;
  }
  // The field itself counts as eight spaces.
  return digits !== 0 && stored === sum - own + 8 * 0x20 ? "sound" : "unsound";
}

/**
 * A size field: octal digits, or base-256 where the first bit is set. Throws for anything that tar implementations
 * read differently (signs, garbage after the digits) and for numbers that no file can have.
 */
export function sizeField(block: Uint8Array, at: number, entry: string): number {
  const first = block[at + 124] as number;
  let value = 0;
  if (first >= 0x80) {
    if (first !== 0x80) throw tarRefusal("number", "has a negative size or one too large for any file", entry);
    for (let i = at + 125; i < at + 136; i++) {
      value = value * 256 + (block[i] as number);
      if (value > Number.MAX_SAFE_INTEGER) throw tarRefusal("number", "has a size too large for any file", entry);
    }
    return value;
  }
  let done = false;
  let started = false;
  for (let i = at + 124; i < at + 136; i++) {
    const byte = block[i] as number;
    if (byte >= 0x30 && byte <= 0x37 && !done) {
      value = value * 8 + byte - 0x30;
      started = true;
    } else if (byte === 0 || byte === 0x20) done = started;
    else throw tarRefusal("number", "has a size that is not a number", entry);
  }
  return value;
}

/** True where any execute bit is set; an unreadable mode is that of an ordinary file. */
export function executableField(block: Uint8Array, at: number): boolean {
  // Execute bits are the lowest bit of each of the last three octal digits.
  let bits = 0;
  for (let i = at + 100; i < at + 108; i++) {
    const byte = block[i] as number;
    if (byte >= 0x30 && byte <= 0x37) bits = ((bits << 3) | (byte - 0x30)) & 0o777;
    else if (bits !== 0 && (byte === 0 || byte === 0x20)) break;
  }
  return (bits & 0o111) !== 0;
}

/** Text of a field that ends at its first NUL or at its end. Bytes other than NUL after the first NUL are refused. */
export function textField(block: Buffer, from: number, length: number): string {
  let end = from;
  const limit = from + length;
  while (end < limit && block[end] !== 0) end++;
  const text = decodeText(block, from, end);
  for (let i = end; i < limit; i++) {
    if (block[i] !== 0) throw tarRefusal("nul", "has a NUL byte inside its name", text);
  }
  return text;
}

/** The name of a header block, with the ustar prefix where the format has one. */
export function nameField(block: Buffer, at: number): string {
  const name = textField(block, at, 100);
  // "ustar" and then anything but GNU's space: the prefix field exists only there.
  const posix =
    block[at + 257] === 0x75 &&
    block[at + 258] === 0x73 &&
    block[at + 259] === 0x74 &&
    block[at + 260] === 0x61 &&
    block[at + 261] === 0x72 &&
    block[at + 262] !== 0x20;
  if (!posix || block[at + 345] === 0) return name;
  let end = at + 345;
  while (end < at + 500 && block[end] !== 0) end++;
  return `${decodeText(block, at + 345, end)}/${name}`;
}

/** Strict UTF-8; control characters are refused because a name with them cannot be shown or typed. */
export function decodeText(bytes: Buffer, from: number, to: number): string {
  let ascii = true;
  let control = false;
  for (let i = from; i < to; i++) {
    const byte = bytes[i] as number;
    if (byte >= 0x80) ascii = false;
    else if (byte < 0x20 || byte === 0x7f) control = true;
  }
  let text: string;
  if (ascii) {
    text = bytes.toString("latin1", from, to);
  } else {
    try {
      text = utf8.decode(bytes.subarray(from, to));
    } catch (cause) {
      throw tarRefusal("utf8", "is a name that is not UTF-8", bytes.toString("latin1", from, to), cause);
    }
    control ||= /[\x80-\x9f]/.test(text);
  }
  if (control) {
    const rule = text.includes("\0") ? "nul" : "control-character";
    throw tarRefusal(rule, "has a control character in its name", text);
  }
  return text;
}
