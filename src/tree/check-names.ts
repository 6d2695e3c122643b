/** Names and descriptions that were written by csp and may be damaged: read strictly before anything relies on them. */
import { readFileSync } from "node:fs";
import type { InstanceId } from "../core/closure.ts";
import { isDigest } from "../core/integrity.ts";
import { isSafeName } from "../core/location.ts";
import { lookAt } from "./check-walk.ts";
import { type InstanceDescription, type InstanceFacts, instanceFormat } from "./instance-description.ts";

/** True for `<name with / as +>@<version>-<32 hex>`. */
export function isInstanceId(text: unknown): text is InstanceId {
  return typeof text === "string" && /^[^/\0]{3,400}-[0-9a-f]{32}$/.test(text) && text.indexOf("@", 1) > 0;
}

/** True for a relative path that stays inside. */
export function isInnerPath(path: unknown): path is string {
  if (typeof path !== "string" || path === "" || path.includes("\0")) return false;
  return path.split("/").every((segment) => segment !== "" && segment !== "." && segment !== "..");
}

/**
 * What an instance says of itself; undefined where it says nothing or what cannot be, for instance because it is damaged.
 * Throws what the system refuses.
 */
export function readFacts(folder: string, id: InstanceId): InstanceFacts | undefined {
  const path = `${folder}/instance.json`;
  if (lookAt(path) !== "file") return undefined;
  const text = readFileSync(path, "utf8");
  try {
    const said = JSON.parse(text) as InstanceDescription;
    const { format, name, version, digest, links } = said;
    const fits =
      format === instanceFormat &&
      said.id === id &&
      isSafeName(name) &&
      isDigest(digest) &&
      id.slice(0, -32) === `${name.replace("/", "+")}@${version}-` &&
      links.every(({ path, target }) => isInnerPath(path) && typeof target === "string");
    return fits ? { id, name, version, digest, links } : undefined;
  } catch {
    return undefined;
  }
}
