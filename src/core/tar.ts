/** An incremental reader for package archives: ustar, PAX and GNU long names; everything doubtful is refused. */
import { blockSize, checkBlock, decodeText, executableField, nameField, sizeField, textField } from "./tar-header.ts";
import { type PaxFields, parsePax } from "./tar-pax.ts";
import { printable, tarRefusal } from "./tar-rules.ts";

export interface TarLimits {
  /** Headers of any kind, extended ones included. */
  entries: number;
  /** Content of all files together, in bytes. */
  unpackedBytes: number;
  /** One extended header, in bytes. */
  metadataBytes: number;
}

/**
 * Receives the entries in the order of the archive, with names as the archive has them (decoded, nothing else done).
 * For a file `file` comes first, then any number of `data`, then `fileEnd`. What a method throws ends the reading.
 */
export interface TarSink {
  file(name: string, executable: boolean, size: number): void;
  /** The next content of the open file is `bytes[from, to)`: no copy, valid only during the call. */
  data(bytes: Uint8Array, from: number, to: number): void;
  fileEnd(): void;
  directory(name: string): void;
  link(name: string, target: string, kind: "symbolic" | "hard"): void;
}

export interface TarReader {
  push(chunk: Uint8Array): void;
  /** To be called after the last chunk; throws for an archive that is empty or was cut. */
  end(): TarSummary;
}

export interface TarSummary {
  /** Headers read. */
  entries: number;
  /** False where the archive stops without its closing zero blocks, which old packers forgot. */
  closed: boolean;
}

type Phase = "header" | "content" | "metadata" | "padding" | "closed";

const type = {
  file: 0x30,
  oldFile: 0,
  hardLink: 0x31,
  symbolicLink: 0x32,
  directory: 0x35,
  contiguous: 0x37,
  pax: 0x78,
  oldPax: 0x58,
  globalPax: 0x67,
  longName: 0x4c,
  longLink: 0x4b,
  sparse: 0x53,
} as const;

/** Throws CSP_TARBALL_INVALID from `push` and `end`; after that the reader is of no further use. */
export function createTarReader(limits: TarLimits, sink: TarSink): TarReader {
  let phase: Phase = "header";
  /** Bytes left of the content, the metadata or the padding. */
  let remaining = 0;
  /** Padding after the content or metadata. */
  let padding = 0;
  const partial = Buffer.alloc(blockSize);
  let partialLength = 0;
  let metadata = Buffer.alloc(0);
  let metadataType = 0;
  /** From the extended headers before the entry that comes next. */
  let pending: PaxFields | undefined;
  let current = "";
  let entries = 0;
  let unpacked = 0;

  function push(chunk: Uint8Array): void {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    let at = 0;
    while (at < bytes.length) {
      if (phase === "header") at = takeHeader(bytes, at);
      else if (phase === "closed") {
        for (; at < bytes.length; at++) {
          if (bytes[at] !== 0) throw tarRefusal("data-after-end", "the archive goes on after its end");
        }
      } else {
        const taken = Math.min(remaining, bytes.length - at);
        if (phase === "content") sink.data(bytes, at, at + taken);
        else if (phase === "metadata") bytes.copy(metadata, metadata.length - remaining, at, at + taken);
        at += taken;
        remaining -= taken;
        if (remaining === 0) finishPhase();
      }
    }
  }

  function takeHeader(bytes: Buffer, at: number): number {
    if (partialLength === 0 && bytes.length - at >= blockSize) {
      readHeader(bytes, at);
      return at + blockSize;
    }
    const taken = Math.min(blockSize - partialLength, bytes.length - at);
    bytes.copy(partial, partialLength, at, at + taken);
    partialLength += taken;
    if (partialLength === blockSize) {
      partialLength = 0;
      readHeader(partial, 0);
    }
    return at + taken;
  }

  function finishPhase(): void {
    if (phase === "content") sink.fileEnd();
    else if (phase === "metadata") readMetadata();
    if (phase !== "padding" && padding > 0) {
      phase = "padding";
      remaining = padding;
    } else phase = "header";
  }

  function enter(next: "content" | "metadata", size: number): void {
    phase = next;
    remaining = size;
    padding = (blockSize - (size % blockSize)) % blockSize;
    if (size === 0) finishPhase();
  }

  function readHeader(block: Buffer, at: number): void {
    const state = checkBlock(block, at);
    if (state === "zero") {
      phase = "closed";
      return;
    }
    if (state === "unsound") {
      const after = current === "" ? "the first header" : `the header after \`${printable(current)}\``;
      throw tarRefusal("checksum", `${after} has a wrong checksum`);
    }
    if (++entries > limits.entries) {
      throw tarRefusal("entry-count", `the archive has more than ${limits.entries} entries`);
    }
    const kind = block[at + 156] as number;
    switch (kind) {
      case type.pax:
      case type.oldPax:
      case type.globalPax:
      case type.longName:
      case type.longLink: {
        const size = sizeField(block, at, "an extended header");
        if (size > limits.metadataBytes) {
          throw tarRefusal("metadata-size", `an extended header is larger than ${limits.metadataBytes} bytes`);
        }
        metadata = Buffer.allocUnsafe(size);
        metadataType = kind;
        enter("metadata", size);
        return;
      }
      case type.sparse:
        throw tarRefusal("sparse", "is a sparse file, which a package cannot hold", nameField(block, at));
    }
    readEntry(block, at, kind);
  }

  function readEntry(block: Buffer, at: number, kind: number): void {
    const name = pending?.path ?? nameField(block, at);
    if (name === "") throw tarRefusal("name-missing", "the archive has an entry without a name");
    current = name;
    const size = sizeField(block, at, name);
    // Two readers that believe different sizes see different files in one archive.
    if (pending?.size !== undefined && pending.size !== size) {
      throw tarRefusal("pax-size", `has two sizes, ${size} and ${pending.size}`, name);
    }
    const linkPath = pending?.linkPath;
    pending = undefined;
    switch (kind) {
      case type.file:
      case type.oldFile:
      case type.contiguous:
        // The V7 format had no directories, only names that end so.
        if (name.endsWith("/")) {
          if (size !== 0) throw tarRefusal("entry-size", "is a directory with content", name);
          sink.directory(name);
          return;
        }
        unpacked += size;
        if (unpacked > limits.unpackedBytes) {
          throw tarRefusal("unpacked-size", `brings the archive over ${limits.unpackedBytes} bytes unpacked`, name);
        }
        sink.file(name, executableField(block, at), size);
        enter("content", size);
        return;
      case type.directory:
        // The size of a directory is an old quota, never content; npm and bun agree.
        sink.directory(name);
        return;
      case type.hardLink:
      case type.symbolicLink:
        if (size !== 0) throw tarRefusal("entry-size", "is a link with content", name);
        sink.link(name, linkPath ?? textField(block, at + 157, 100), kind === type.hardLink ? "hard" : "symbolic");
        return;
      default:
        throw tarRefusal("entry-type", `is ${describeType(kind)}, which a package cannot hold`, name);
    }
  }

  function readMetadata(): void {
    if (metadataType === type.longName || metadataType === type.longLink) {
      let end = metadata.length;
      while (end > 0 && metadata[end - 1] === 0) end--;
      const text = decodeText(metadata, 0, end);
      if (text === "") throw tarRefusal("name-missing", "the archive has an entry without a name");
      merge(metadataType === type.longName ? { path: text } : { linkPath: text });
      return;
    }
    const fields = parsePax(metadata);
    if (metadataType !== type.globalPax) merge(fields);
    else if (fields.path !== undefined || fields.linkPath !== undefined || fields.size !== undefined) {
      throw tarRefusal("pax-global", "a global header of the archive renames or resizes every entry");
    }
  }

  function merge(fields: PaxFields): void {
    const clash =
      differ(pending?.path, fields.path) ||
      differ(pending?.linkPath, fields.linkPath) ||
      differ(pending?.size, fields.size);
    if (clash) {
      throw tarRefusal("conflicting-names", "has extended headers that contradict each other", fields.path ?? current);
    }
    pending = { ...pending, ...fields };
  }

  function end(): TarSummary {
    const cut = phase === "content" || phase === "metadata" || pending !== undefined || partial.some(unread);
    if (cut) {
      const where = current === "" ? "before its first entry" : `in or after \`${printable(current)}\``;
      throw tarRefusal("truncated", `the archive was cut ${where}`);
    }
    if (entries === 0) throw tarRefusal("empty", "the archive is empty");
    return { entries, closed: phase === "closed" };
  }

  function unread(byte: number, index: number): boolean {
    return index < partialLength && byte !== 0;
  }

  return { push, end };
}

function differ<T>(a: T | undefined, b: T | undefined): boolean {
  return a !== undefined && b !== undefined && a !== b;
}

function describeType(kind: number): string {
  if (kind === 0x33 || kind === 0x34) return "a device";
  if (kind === 0x36) return "a named pipe";
  return kind > 0x20 && kind < 0x7f ? `an entry of type \`${String.fromCharCode(kind)}\`` : "an entry of unknown type";
}
