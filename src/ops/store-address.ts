/** Addresses of stores as the user writes them. */
import { resolve } from "node:path";

/** A folder's or a bundle's address made absolute, as `file:<path>` or `bundle:<path>`; others as they are. */
export function absoluteAddress(address: string, base: string): string {
  // A host's name is for the store to refuse.
  if (/^file:\/\/[^/]/i.test(address)) return address;
  const [, scheme = "file", path] = /^(?:(file|bundle):)?(?:\/\/(?=\/))?(.*)$/is.exec(address) ?? [];
  const isPath = path !== undefined && !/^[A-Za-z][A-Za-z0-9+.-]+:/.test(path);
  return isPath ? `${scheme.toLowerCase()}:${resolve(base, path)}` : address;
}
