/** Manifests of a repository by their tags. */
import { badAnswer, lastingAnswer } from "../failures.ts";
import type { EnsureConfig } from "./blobs.ts";
import type { OciAnswer, OciClient } from "./client.ts";
import { stranger } from "./failures.ts";
import {
  artifactTypes,
  formatManifest,
  isDigest,
  type Manifest,
  manifestType,
  maxManifestBytes,
  type OciDigest,
  parseManifest,
  sha256,
} from "./manifest.ts";

export interface FoundManifest {
  digest: OciDigest;
  bytes: Uint8Array;
  /** Undefined for what csp did not write. */
  manifest: Manifest | undefined;
}

export interface Tags {
  /** What a tag points at; undefined where there is no such tag. What the registry says of the digest is checked. */
  read(tag: string): Promise<FoundManifest | undefined>;
  /** The digest alone, for one small request; "unsaid" by registries that do not tell it. */
  look(tag: string): Promise<OciDigest | "unsaid" | undefined>;
  /** Points a tag at a manifest, or at the bytes of one. "lost": the registry does not have all that it names. */
  write(tag: string, manifest: Manifest | Uint8Array): Promise<{ digest: OciDigest } | "lost">;
  /**
   * Takes a tag and its manifest away. Where that is not possible, or not allowed, the tag is pointed at an empty manifest, which
   * leaves the old one untagged, for rules of the registry's own.
   */
  drop(tag: string, digest: OciDigest): Promise<void>;
  /** Takes a manifest away; false where that is not possible, or not allowed. */
  remove(digest: OciDigest): Promise<boolean>;
  /** All tags, in pages. */
  list(): AsyncIterable<readonly string[]>;
}

const maxListBytes = 32 << 20;
const mostPages = 100_000;
const mostTries = 4;

/** `pageSize`: how many tags a page is asked for. */
export function createTags(client: OciClient, ensureConfig: EnsureConfig, pageSize: number): Tags {
  const { address } = client;
  const accept = { accept: manifestType, "cache-control": "no-cache" };
  const show = async (tag: string, method: "GET" | "HEAD"): Promise<OciAnswer> => {
    for (let tries = 1; ; tries++) {
      const answer = await client.send({
        method,
        to: `manifests/${tag}`,
        headers: accept,
        maxBytes: maxManifestBytes,
        access: "pull",
        action: "show a manifest",
        expect: tries < mostTries ? [200, 404, 500] : [200, 404],
      });
      const isSaid = answer.code !== undefined || answer.headers.has("docker-distribution-api-version");
      if (answer.status === 404 && method === "GET" && !isSaid) {
        throw badAnswer(address.text, "answered 404 in a way that registries do not", stranger);
      }
      if (answer.status !== 500) return answer;
      // Registries that keep tags in files fail while one is being overwritten.
      await Bun.sleep(10 * tries);
    }
  };
  let deletes = true;

  const write: Tags["write"] = async (tag, manifest) => {
    const body = manifest instanceof Uint8Array ? manifest : formatManifest(manifest);
    if (body.byteLength > maxManifestBytes) throw lastingAnswer(address.text, "takes no manifest as long as is needed");
    const digest = sha256(body);
    const put = () =>
      client.send({
        method: "PUT",
        to: `manifests/${tag}`,
        headers: { "content-type": manifestType },
        body,
        access: "push",
        action: "take a manifest",
        expect: [200, 201, 202, 400, 404],
      });
    await ensureConfig();
    let answer = await put();
    if (isLost(answer.code)) {
      await ensureConfig(true);
      answer = await put();
    }
    if (isLost(answer.code)) return "lost";
    if (answer.status >= 400) {
      const what = answer.code === undefined ? `${answer.status}` : `${answer.status} ${answer.code}`;
      const hint = "it must take OCI manifests of any type, and let tags be overwritten";
      throw lastingAnswer(address.text, `refused a manifest (${what})`, hint);
    }
    const stored = answer.headers.get("docker-content-digest");
    if (stored !== null && stored !== digest) throw badAnswer(address.text, "stored a manifest under another digest");
    return { digest };
  };

  const remove = async (digest: OciDigest): Promise<boolean> => {
    if (!deletes) return false;
    const to = `manifests/${digest}`;
    const expect = [200, 202, 204, 400, 401, 403, 404, 405, 501];
    const answer = await client.send({ method: "DELETE", to, access: "delete", action: "delete a manifest", expect });
    // One that does not know the request says 404, too, but not in the words for a manifest that is absent.
    deletes = answer.status < 400 || (answer.status === 404 && answer.code !== undefined);
    return deletes;
  };

  return {
    async read(tag) {
      const answer = await show(tag, "GET");
      if (answer.status === 404) return undefined;
      const digest = sha256(answer.body);
      const said = answer.headers.get("docker-content-digest");
      if (said !== null && said !== digest) {
        throw badAnswer(address.text, "gave a manifest that does not have the digest it says");
      }
      return { digest, bytes: answer.body, manifest: parseManifest(answer.body) };
    },
    async look(tag) {
      const answer = await show(tag, "HEAD");
      if (answer.status === 404) return undefined;
      const digest = answer.headers.get("docker-content-digest") ?? "";
      return isDigest(digest) ? digest : "unsaid";
    },
    write,
    remove,
    async drop(tag, digest) {
      if (await remove(digest)) return;
      await write(tag, { artifactType: artifactTypes.dropped, layers: [], annotations: {} });
    },
    async *list() {
      let query = `n=${pageSize}`;
      const seen = new Set<string>();
      for (let pages = 0; pages < mostPages; pages++) {
        if (seen.has(query)) throw lastingAnswer(address.text, "lists tags in a circle");
        seen.add(query);
        const answer = await client.send({
          method: "GET",
          to: `tags/list?${query}`,
          headers: { accept: "application/json" },
          maxBytes: maxListBytes,
          access: "pull",
          action: "list tags",
          expect: [200, 404],
        });
        if (answer.status === 404) return;
        yield parseTags(client, answer.body);
        const next = nextQuery(answer.headers.get("link"));
        if (next === undefined) return;
        query = next;
      }
      throw lastingAnswer(address.text, "lists tags without end");
    },
  };
}

function isLost(code: string | undefined): boolean {
  return code === "MANIFEST_BLOB_UNKNOWN" || code === "BLOB_UNKNOWN";
}

/** `null` is how some registries say that there are none. */
function parseTags({ address }: OciClient, body: Uint8Array): string[] {
  try {
    const { tags } = JSON.parse(new TextDecoder().decode(body)) as { tags?: unknown };
    if (tags === null) return [];
    if (Array.isArray(tags)) return tags.filter((tag) => typeof tag === "string");
  } catch {
    // Said below.
  }
  throw badAnswer(address.text, "gave a list of tags that is none");
}

/** Of the link to the next page only the query counts: it goes on in this repository. */
function nextQuery(link: string | null): string | undefined {
  const [, target = "", rest = ""] = /<([^<>]{1,4000})>([^,]*)/.exec(link ?? "") ?? [];
  if (!/;\s*rel="?next"?/i.test(rest)) return undefined;
  const query = URL.parse(target, "https://registry.example.com/v2/")?.search.slice(1);
  return query === undefined || query === "" ? undefined : query;
}
