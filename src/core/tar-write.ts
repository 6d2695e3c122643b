/** Headers of the plain tar archives that csp writes (POSIX ustar). */

import { blockSize } from "./tar-header.ts";

/**
 * The header of one regular file. `name` is ASCII; one of more than 100 characters is split at a `/` into prefix and name, as
 * ustar has it. `size` in bytes, below 8 GiB; `mtimeMs` in milliseconds since 1970. Throws where one of these does not fit,
 * which is a defect of the caller.
 */
export function tarHeader(name: string, size: number, mtimeMs: number): Uint8Array {
  const cut = name.length <= 100 ? -1 : name.lastIndexOf("/", 155);
  const [prefix, rest] = cut < 0 ? ["", name] : [name.slice(0, cut), name.slice(cut + 1)];
  if (rest.length > 100 || !/^[\x21-\x7e]+$/.test(name)) throw new Error(`no name for a tar archive: ${name}`);
  if (!Number.isSafeInteger(size) || size < 0 || size >= 8 ** 11) throw new Error(`no size for a tar archive: ${size}`);
  const block = Buffer.alloc(blockSize);
  const octal = (value: number, at: number, length: number): void => {
    block.write(`${value.toString(8).padStart(length - 1, "0")}\0`, at, "ascii");
  };
  block.write(rest, 0, "ascii");
  octal(0o444, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(size, 124, 12);
  octal(Math.floor(mtimeMs / 1000), 136, 12);
  block.write("        0", 148, "ascii");
  block.write("ustar\0" + "00", 257, "ascii");
  block.write(prefix, 345, "ascii");
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "ascii");
  return block;
}

/** How many zero bytes follow a file of this size. */
export function tarPadding(size: number): number {
  return (blockSize - (size % blockSize)) % blockSize;
}

/** What ends an archive. */
export const tarEnd: Uint8Array = new Uint8Array(2 * blockSize);
