/** A bundle as a store that can only be read. */
import { type FileHandle, open } from "node:fs/promises";
import { isAbsolute } from "node:path";
import { bundleEntry, headName, parseBundleEntry, parseBundleHead, rootName } from "../core/bundle.ts";
import { CspError } from "../core/errors.ts";
import { quoted } from "../core/quote.ts";
import { parseReleaseObject } from "../core/release.ts";
import { parseStoreRoot, rootLimits } from "../core/store-root.ts";
import { blockSize, checkBlock, nameField, sizeField } from "../core/tar-header.ts";
import { describeOsError } from "../fs/os-error.ts";
import { badAnswer, missing, readOnly } from "./failures.ts";
import { randomNonce, type Store, type StoredObject } from "./store.ts";

interface Entry {
  offset: number;
  size: number;
}

/** More entries than this are refused. */
const mostEntries = 500_000;
const largestHead = 64 * 1024 * 1024;

/**
 * Opens `bundle:<absolute path>` and reads its table of contents. Throws CSP_STORE_ADDRESS, CSP_BUNDLE_INVALID for a file that
 * is no bundle, is torn or has anything else in it, and CSP_STORE_NEWER.
 */
export async function openBundleStore(address: string): Promise<Store> {
  const path = address.replace(/^bundle:/i, "");
  const name = `bundle:${quoted(path).slice(1, -1)}`;
  if (!isAbsolute(path)) {
    throw new CspError("CSP_STORE_ADDRESS", {
      message: `${quoted(address)} is no address of a bundle`,
      hint: "write the path of the file, for example `bundle:/media/usb/csp.bundle`",
    });
  }
  const file = await openFile(path);
  try {
    const entries = await readEntries(file, name);
    const text = async (entry: string, most: number): Promise<string> => {
      const found = entries.get(entry);
      if (found === undefined) throw invalid(name, `it has no \`${entry}\``);
      if (found.size > most) throw invalid(name, `its \`${entry}\` is too large`);
      return new TextDecoder().decode(await read(file, found, name));
    };
    const head = parseBundleHead(await text(headName, largestHead));
    if (head === "newer") throw newer(name);
    if (head === undefined) throw invalid(name, `its \`${headName}\` cannot be read`);
    const rootText = await text(rootName, rootLimits.characters);
    return storeOf(file, name, entries, rootText);
  } catch (error) {
    await file.close();
    throw error;
  }
}

function storeOf(file: FileHandle, address: string, entries: ReadonlyMap<string, Entry>, rootText: string): Store {
  const refuse = async (): Promise<never> => {
    throw readOnly(address, "it is a bundle");
  };
  const version = new Bun.CryptoHasher("sha256").update(rootText).digest("hex");
  const get = async (key: string, { maxBytes }: { maxBytes: number }): Promise<Uint8Array> => {
    const entry = entries.get(bundleEntry(key));
    if (entry === undefined) throw missing(address, key);
    if (entry.size > maxBytes) throw badAnswer(address, `has more than ${maxBytes} bytes under ${quoted(key)}`);
    return read(file, entry, address);
  };
  return {
    kind: "bundle",
    address,
    blobs: {
      get,
      size: async (key) => entries.get(bundleEntry(key))?.size,
      put: refuse,
      delete: refuse,
      async *list() {
        for (const { object, size } of parseStoreRoot(rootText).releases.values()) {
          const page: StoredObject[] = entries.has(bundleEntry(object)) ? [{ key: object, size }] : [];
          const { blobs } = parseReleaseObject(await get(object, { maxBytes: size }));
          for (const blob of blobs.values()) if (entries.has(bundleEntry(blob.key))) page.push(blob);
          yield page;
        }
      },
    },
    root: {
      read: async (known) => (known === version ? "unchanged" : { version, text: rootText }),
      swap: refuse,
    },
    capabilities: async () => ({ writers: "none", why: "it is a bundle" }),
    nonce: randomNonce,
    close: () => file.close(),
  };
}

async function openFile(path: string): Promise<FileHandle> {
  try {
    return await open(path, "r");
  } catch (error) {
    throw describeOsError(error) ?? error;
  }
}

/** The table of contents: what csp writes and nothing else. */
async function readEntries(file: FileHandle, address: string): Promise<Map<string, Entry>> {
  const { size: length } = await file.stat();
  const entries = new Map<string, Entry>();
  const block = Buffer.alloc(blockSize);
  for (let at = 0; ; ) {
    const { bytesRead } = await file.read(block, 0, blockSize, at);
    if (bytesRead < blockSize) throw invalid(address, "it is cut off");
    const state = checkBlock(block, 0);
    if (state === "zero") return entries;
    if (state === "unsound") throw invalid(address, `it is no tar archive from byte ${at} on`);
    const { name, size } = readHeader(block, address);
    const offset = at + blockSize;
    const end = offset + size;
    if (end > length) throw invalid(address, "it is cut off");
    if (name !== headName && name !== rootName && parseBundleEntry(name) === undefined) {
      throw invalid(address, `it has something else in it: ${quoted(name)}`);
    }
    if (entries.has(name)) throw invalid(address, `it has ${quoted(name)} twice`);
    if (entries.size >= mostEntries) throw invalid(address, `it has more than ${mostEntries} entries`);
    entries.set(name, { offset, size });
    at = Math.ceil(end / blockSize) * blockSize;
  }
}

function readHeader(block: Buffer, address: string): { name: string; size: number } {
  const type = block[156];
  if (type !== 0x30 && type !== 0) throw invalid(address, "it has something else in it than files");
  try {
    const name = nameField(block, 0);
    return { name, size: sizeField(block, 0, name) };
  } catch (cause) {
    if (!(cause instanceof CspError)) throw cause;
    throw invalid(address, cause.message);
  }
}

async function read(file: FileHandle, { offset, size }: Entry, address: string): Promise<Uint8Array> {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; ) {
    const { bytesRead } = await file.read(bytes, at, size - at, offset + at);
    if (bytesRead === 0) throw invalid(address, "it is cut off");
    at += bytesRead;
  }
  return bytes;
}

function invalid(address: string, why: string): CspError {
  return new CspError("CSP_BUNDLE_INVALID", {
    message: `\`${address}\` is not a whole bundle: ${why}`,
    hint: "copy the file again, or make it anew with `csp bundle create`",
    data: { bundle: address },
  });
}

function newer(address: string): CspError {
  return new CspError("CSP_STORE_NEWER", {
    message: `\`${address}\` was written by a newer csp`,
    hint: "update csp on this machine",
    data: { bundle: address },
  });
}
