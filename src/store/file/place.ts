/** The directory of a file store: what lies where, making it, and what can be done in it. */
import { constants } from "node:fs";
import { access, mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { CspError } from "../../core/errors.ts";
import { storeFormat } from "../../core/store-root.ts";
import { osCode, quotedPath } from "../../fs/os-error.ts";
import { lastingAnswer, noStore, readOnly } from "../failures.ts";
import type { Capabilities } from "../store.ts";
import { fileFailure, fileGuarded } from "./failures.ts";
import { factsOf, publishFile, readRegular, removeFile, syncDirectoryOf, temporaryPath, writeTemporary } from "./io.ts";
import { removeAbandoned } from "./janitor.ts";

export interface Place {
  /** Absolute, as the user wrote it. */
  directory: string;
  address: string;
  /** To be awaited before anything is read. Throws CSP_STORE_NEWER. */
  ready(): Promise<void>;
  /** To be awaited before anything is written: makes what is missing. Throws also what `ready` throws. */
  prepare(): Promise<void>;
  /** Writes a new file, durably and all at once, unless its name exists. `name` is relative to the directory. */
  create(name: string, bytes: Uint8Array): Promise<"made" | "exists">;
  capabilities(): Promise<Capabilities>;
}

const marker = "csp-store.json";
const folders = ["blobs", "releases", "root", "tmp"];

export function createPlace(directory: string, address: string, signal: AbortSignal | undefined): Place {
  const create = async (name: string, bytes: Uint8Array): Promise<"made" | "exists"> => {
    const outcome = await publishFile(await writeTemporary(`${directory}/tmp`, bytes), `${directory}/${name}`);
    if (outcome === "unsupported") throw readOnly(address, withoutLinks);
    return outcome;
  };
  const ready = once(() => fileGuarded(address, "read", () => checkFormat(directory, address)));
  const prepare = once(async () => {
    await makeDirectory(directory, address);
    await ready();
    let made = false;
    for (const folder of folders) made = (await makeFolder(`${directory}/${folder}`)) || made;
    if (made) await syncDirectoryOf(`${directory}/${marker}`);
    if (!(await exists(`${directory}/${marker}`))) {
      await create(marker, Buffer.from(`${JSON.stringify({ format: storeFormat })}\n`));
    }
    await removeAbandoned(`${directory}/tmp`);
  });
  return {
    directory,
    address,
    async ready() {
      signal?.throwIfAborted();
      await ready();
    },
    async prepare() {
      signal?.throwIfAborted();
      await fileGuarded(address, "write", prepare);
    },
    create: (name, bytes) => fileGuarded(address, "write", () => create(name, bytes)),
    capabilities: once(() => tryOut(directory, address)),
  };
}

const withoutLinks = "its file system can neither link files nor rename them without replacing";

async function checkFormat(directory: string, address: string): Promise<void> {
  const bytes = await readRegular(`${directory}/${marker}`, 10_000);
  if (bytes === "absent") return;
  const format = typeof bytes === "string" ? undefined : formatIn(Buffer.from(bytes).toString());
  if (format === undefined) throw lastingAnswer(address, `has a \`${marker}\` that cannot be read`);
  if (format > storeFormat) {
    throw new CspError("CSP_STORE_NEWER", {
      message: `the store \`${address}\` has format ${format}; this csp knows formats up to ${storeFormat}`,
      hint: "update csp on this machine",
      data: { store: address, format },
    });
  }
}

function formatIn(text: string): number | undefined {
  try {
    const { format } = JSON.parse(text) as { format?: unknown };
    return Number.isSafeInteger(format) && (format as number) > 0 ? (format as number) : undefined;
  } catch {
    return undefined;
  }
}

/** Only the last part is made: a missing parent is rather a file system that is not mounted. */
async function makeDirectory(directory: string, address: string): Promise<void> {
  try {
    if (await makeFolder(directory)) await syncDirectoryOf(directory);
  } catch (error) {
    if (osCode(error) !== "ENOENT") throw error;
    const problem = `cannot be made, because ${quotedPath(dirname(directory))} does not exist`;
    throw noStore(address, problem, "mount the file system it lies on, or make that directory");
  }
}

async function makeFolder(path: string): Promise<boolean> {
  try {
    await mkdir(path);
    return true;
  } catch (error) {
    if (osCode(error) === "EEXIST") return false;
    throw error;
  }
}

/** Where there is no store yet, the right to make one is asked for; nothing is made. */
async function tryOut(directory: string, address: string): Promise<Capabilities> {
  try {
    if (!(await exists(dirname(directory)))) return { writers: "none", why: "the directory it lies in does not exist" };
    await writable(directory);
    if (!(await exists(`${directory}/tmp`))) return { writers: "many" };
    const one = await writeTemporary(`${directory}/tmp`, new Uint8Array(), false);
    const other = await temporaryPath(`${directory}/tmp`);
    const outcome = await publishFile(one, other);
    await removeFile(other);
    return outcome === "made" ? { writers: "many" } : { writers: "none", why: withoutLinks };
  } catch (error) {
    const failure = fileFailure(address, error, "write");
    if (!(failure instanceof CspError) || failure.code !== "CSP_STORE_READ_ONLY") throw failure;
    return { writers: "none", why: failure.message.slice(failure.message.indexOf(": ") + 2) };
  }
}

async function writable(directory: string): Promise<void> {
  const mode = constants.W_OK | constants.X_OK;
  if (!(await exists(directory))) return access(dirname(directory), mode);
  for (const path of [directory, ...folders.map((folder) => `${directory}/${folder}`)]) {
    try {
      await access(path, mode);
    } catch (error) {
      if (path === directory || osCode(error) !== "ENOENT") throw error;
    }
  }
}

async function exists(path: string): Promise<boolean> {
  return (await factsOf(path)) !== undefined;
}

/** Calls once and remembers what came, but not a failure. */
function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make().catch((error: unknown) => {
      made = undefined;
      throw error;
    });
    return made;
  };
}
