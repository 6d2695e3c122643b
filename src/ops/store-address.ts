/** Addresses of stores as the user writes them. */
import { resolve } from "node:path";

/** A folder's address made absolute, as `file:<path>`; others as they are. */
export function absoluteAddress(address: string, base: string): string {
  const path =
    /^file:(?:\/\/(?=\/))?(.*)$/is.exec(address)?.[1] ??
    (/^[A-Za-z][A-Za-z0-9+.-]+:/.test(address) ? undefined : address);
  return path === undefined ? address : `file:${resolve(base, path)}`;
}
