/**
 * The root: a manifest under one tag, whose layer is the document. Registries have no compare-and-swap, so a writer first claims
 * the next number with a tag of its own, waits as long as another one could need that saw the number free, looks whether
 * the claim still is its own, and only then points the root's tag at it. Whoever finds a claim that was not carried out does so.
 */
import { badAnswer, lastingAnswer, unreachable } from "../failures.ts";
import type { Root, Version } from "../store.ts";
import { readBlob, uploadBlob } from "./blobs.ts";
import type { OciClient } from "./client.ts";
import { annotations, artifactTypes, isDigest, layerTypes, type Manifest, type OciDigest, sha256 } from "./manifest.ts";
import { generationTag, rootTag } from "./names.ts";
import type { FoundManifest, Tags } from "./tags.ts";

const maxRootBytes = 64 << 20;
const mostTries = 3;
/** Claims that are kept: a writer that was stopped for that many changes is still recognised. */
const claimsKept = 16;
/** Claims that are carried out one after the other. */
const mostSteps = 50;
/** Longest wait for other writers. */
const longestWaitMs = 5000;

/** A root, or the claim to be the next one. */
interface State {
  digest: OciDigest;
  bytes: Uint8Array;
  generation: number;
  /** Digest of the one before; empty for the first. */
  previous: string;
  document: OciDigest;
}

/** `settleMs`: the least time to wait for others that write at the same moment. */
export function createOciRoot(client: OciClient, tags: Tags, settleMs: number): Root {
  const { address, signal } = client;

  const readState = async (tag: string): Promise<State | undefined> => {
    const found = await tags.read(tag);
    return found === undefined ? undefined : stateOf(found);
  };

  const current = async (): Promise<State | undefined> => {
    const found = await tags.read(rootTag);
    if (found === undefined) return undefined;
    const state = stateOf(found);
    if (state === undefined) {
      const hint = "use a repository of its own for the store; or update csp, if a newer one writes to it";
      throw lastingAnswer(address.text, `has a tag \`${rootTag}\` that this csp does not know`, hint);
    }
    return state;
  };

  /** The claim to follow that root; empty and 0 for none. */
  const claimAfter = async (digest: OciDigest | "", generation: number): Promise<State | undefined> => {
    const claim = await readState(generationTag(generation + 1));
    return claim?.previous === digest && claim.generation === generation + 1 ? claim : undefined;
  };

  /**
   * The root, after carrying out claims that were left: what a writer began before it died, or what one undid that came late.
   */
  const settled = async (): Promise<State | undefined> => {
    for (let steps = 0; steps < mostSteps; steps++) {
      const state = await current();
      const place = [state?.digest ?? "", state?.generation ?? 0] as const;
      const claim = await claimAfter(...place);
      if (claim === undefined) return state;
      await pause(settleMs, signal);
      const stands = (await claimAfter(...place))?.digest === claim.digest && (await isNow(rootTag, state?.digest));
      // A claim whose document is gone cannot be carried out by anybody.
      if (stands && (await tags.write(rootTag, claim.bytes)) === "lost") return state;
    }
    throw unreachable(address.text, "is changed by others all the time");
  };

  const isNow = async (tag: string, digest: OciDigest | undefined): Promise<boolean> => {
    const seen = await tags.look(tag);
    return (seen === "unsaid" ? (await tags.read(tag))?.digest : seen) === digest;
  };

  const write = async (tag: string, manifest: Manifest, document: Uint8Array): Promise<OciDigest> => {
    for (let tries = 1; tries <= mostTries; tries++) {
      const written = await tags.write(tag, manifest);
      if (written !== "lost") return written.digest;
      await uploadBlob(client, sha256(document), document);
    }
    throw unreachable(address.text, "loses what was just uploaded");
  };

  const readDocument = async ({ document }: State): Promise<string | undefined> => {
    const bytes = await readBlob(client, document, maxRootBytes);
    if (bytes === undefined) return undefined;
    if (sha256(bytes) !== document) throw badAnswer(address.text, "has another root than its manifest says");
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      throw badAnswer(address.text, "has a root that is no text");
    }
  };

  return {
    async read(known) {
      if (known !== undefined && (await tags.look(rootTag)) === known) return "unchanged";
      for (let tries = 0; tries < mostTries; tries++) {
        const state = await current();
        if (state === undefined) return undefined;
        if (state.digest === known) return "unchanged";
        const text = await readDocument(state);
        if (text !== undefined) return { version: state.digest, text };
        // Replaced, and collected by the registry, in between.
      }
      throw badAnswer(address.text, "does not have the root that its manifest names");
    },

    async swap(expected: Version | undefined, text: string) {
      const document = new TextEncoder().encode(text);
      const digest = sha256(document);
      // Before anything is looked at, so that little time passes between looks and writes.
      await uploadBlob(client, digest, document);
      const begun = performance.now();
      const state = await settled();
      if (state?.digest !== expected) return undefined;
      const generation = (state?.generation ?? 0) + 1;
      const manifest = rootManifest(generation, state?.digest ?? "", digest, document.byteLength);
      const claimTag = generationTag(generation);
      const own = await write(claimTag, manifest, document);
      await pause(Math.min(longestWaitMs, Math.max(settleMs, 2 * (performance.now() - begun))), signal);
      // Another claim took its place, unless somebody carried this one out already.
      if (!(await isNow(claimTag, own))) return (await isNow(rootTag, own)) ? own : undefined;
      if (!(await isNow(rootTag, state?.digest)) && !(await isNow(rootTag, own))) return undefined;
      await write(rootTag, manifest, document);
      // Whoever was stopped before that write for so long that others carried it out and went on has just undone their work.
      if ((await claimAfter(own, generation)) !== undefined) await settled();
      else if (!(await isNow(rootTag, own))) return undefined;
      await forget(tags, generation - claimsKept);
      return own;
    },
  };
}

/** Best effort: one that stays costs its document's bytes. */
async function forget(tags: Tags, generation: number): Promise<void> {
  if (generation < 1) return;
  const tag = generationTag(generation);
  const digest = await tags.look(tag).catch(() => undefined);
  if (digest !== undefined && digest !== "unsaid") await tags.drop(tag, digest).catch(() => {});
}

function rootManifest(generation: number, previous: string, document: OciDigest, size: number): Manifest {
  const layer = {
    mediaType: layerTypes.root,
    digest: document,
    size,
    annotations: { [annotations.title]: "root.json" },
  };
  return {
    artifactType: artifactTypes.root,
    layers: [layer],
    annotations: {
      [annotations.generation]: String(generation),
      [annotations.previous]: previous,
      // Two roots with one text are two states.
      [annotations.random]: crypto.randomUUID(),
    },
  };
}

function stateOf({ digest, bytes, manifest }: FoundManifest): State | undefined {
  const layer = manifest?.layers[0];
  if (manifest?.artifactType !== artifactTypes.root || layer === undefined) return undefined;
  const generation = manifest.annotations[annotations.generation] ?? "";
  const previous = manifest.annotations[annotations.previous] ?? "";
  if (!/^[1-9]\d{0,14}$/.test(generation) || (previous !== "" && !isDigest(previous))) return undefined;
  return { digest, bytes, generation: Number(generation), previous, document: layer.digest };
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  await Bun.sleep(ms);
  signal.throwIfAborted();
}
