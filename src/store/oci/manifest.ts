/** Manifests as csp writes them, and what it takes from those it reads, which are hostile. */
import { parseStoreKey, type StoreKey } from "../../core/store-key.ts";
import type { StoredObject } from "../store.ts";

export const manifestType = "application/vnd.oci.image.manifest.v1+json";
/** What a manifest of csp is; `dropped` stands for what was deleted where a registry deletes nothing. */
export const artifactTypes = {
  root: "application/vnd.csp.root.v1",
  release: "application/vnd.csp.release.v1",
  blobs: "application/vnd.csp.blobs.v1",
  dropped: "application/vnd.csp.dropped.v1",
} as const;
export const layerTypes = {
  root: "application/vnd.csp.root.v1+json",
  release: "application/vnd.csp.release.v1+json",
  package: "application/vnd.csp.package.v1.tar+gzip",
} as const;
export const annotations = {
  /** What standard tools name the file they make of a layer. */
  title: "org.opencontainers.image.title",
  /** On layers: the object's key. */
  key: "vnd.csp.key",
  /** On the root: its number, the digest of the one before, and a random part. */
  generation: "vnd.csp.generation",
  previous: "vnd.csp.previous",
  random: "vnd.csp.random",
  /** On a release: its lockfile hash, and how many manifests hold it. */
  lockfile: "vnd.csp.lockfile",
  parts: "vnd.csp.parts",
} as const;

/** `sha256:` and 64 hexadecimal characters. */
export type OciDigest = string;

export function sha256(bytes: Uint8Array): OciDigest {
  return `sha256:${new Bun.CryptoHasher("sha256").update(bytes).digest("hex")}`;
}

export interface Layer {
  mediaType: string;
  digest: OciDigest;
  size: number;
  annotations: Readonly<Record<string, string>>;
}

export interface Manifest {
  artifactType: string;
  layers: readonly Layer[];
  annotations: Readonly<Record<string, string>>;
}

/** The configuration that artifacts without one have; it must be in the repository, too. */
export const emptyConfig = new TextEncoder().encode("{}");

/** Longest manifest that is written or read: registries take no more. */
export const maxManifestBytes = 4 << 20;

/** Equal values give equal bytes. */
export function formatManifest({ artifactType, layers, annotations: notes }: Manifest): Uint8Array {
  const config = { mediaType: "application/vnd.oci.empty.v1+json", digest: sha256(emptyConfig), size: 2 };
  const text = JSON.stringify({
    schemaVersion: 2,
    mediaType: manifestType,
    artifactType,
    config,
    // A manifest without a layer is one that old registries refuse.
    layers: layers.length === 0 ? [config] : layers,
    annotations: notes,
  });
  return new TextEncoder().encode(text);
}

/** What is in a manifest; undefined where it is none of csp's. Layers that are not well-formed are left out, `urls` ignored. */
export function parseManifest(bytes: Uint8Array): Manifest | undefined {
  let raw: { mediaType?: unknown; artifactType?: unknown; layers?: unknown; annotations?: unknown } | null;
  try {
    raw = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
  const known: readonly unknown[] = Object.values(artifactTypes);
  if (raw?.mediaType !== manifestType || typeof raw.artifactType !== "string" || !known.includes(raw.artifactType)) {
    return undefined;
  }
  const layers = Array.isArray(raw.layers) ? raw.layers.flatMap(parseLayer) : [];
  return { artifactType: raw.artifactType, layers, annotations: textsOf(raw.annotations) };
}

function parseLayer(raw: Partial<Record<keyof Layer, unknown>> | null): Layer[] {
  const { mediaType, digest, size } = raw ?? {};
  if (typeof mediaType !== "string" || typeof digest !== "string" || typeof size !== "number") return [];
  if (!isDigest(digest) || !Number.isSafeInteger(size) || size < 0) return [];
  return [{ mediaType, digest, size, annotations: textsOf(raw?.annotations) }];
}

export function isDigest(text: string): boolean {
  return /^sha256:[0-9a-f]{64}$/.test(text);
}

function textsOf(raw: unknown): Record<string, string> {
  const entries = typeof raw === "object" && raw !== null ? Object.entries(raw) : [];
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => typeof entry[1] === "string"));
}

/** The digest under which the registry has an object; undefined for keys of other kinds, which it cannot have. */
export function ociDigest(key: StoreKey): OciDigest | undefined {
  const nonce = parseStoreKey(key)?.nonce;
  return nonce?.length === 64 ? `sha256:${nonce}` : undefined;
}

/** The layer of an object. */
export function objectLayer({ key, size }: StoredObject, mediaType: string, title: string): Layer {
  const digest = ociDigest(key);
  if (digest === undefined) throw new Error(`not a key of a registry: ${key.slice(0, 200)}`);
  return { mediaType, digest, size, annotations: { [annotations.title]: title, [annotations.key]: key } };
}

/** The objects whose layers a manifest has: those with the key that their digest is in. */
export function objectsOf({ layers }: Manifest): StoredObject[] {
  return layers.flatMap((layer) => {
    const key = layer.annotations[annotations.key];
    return key !== undefined && ociDigest(key) === layer.digest ? [{ key, size: layer.size }] : [];
  });
}
