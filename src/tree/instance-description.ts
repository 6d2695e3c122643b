/** `instance.json`: what is known of a package instance that is there. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { InstanceId } from "../core/closure.ts";
import type { Digest } from "../core/integrity.ts";
import type { InstancePlan, LinkPlan } from "../core/tree-plan.ts";

/** Format of `instance.json`. */
export const instanceFormat = 1;

/** What an instance takes on disk, as it is noted; undefined for one that was built before sizes were. */
export interface InstanceSize {
  files: number;
  /** Content of the package's files; instances with one digest share it by hard links. */
  bytes: number;
}

/** What an instance is, as `instance.json` says it. */
export type InstanceFacts = Pick<InstancePlan, "id" | "name" | "version" | "digest" | "links">;

/** The text of `instance.json`; equal facts give equal bytes. */
export function instanceText(facts: InstanceFacts, size: InstanceSize | undefined): string {
  const { id, name, version, digest } = facts;
  const { files, bytes } = size ?? {};
  const links = facts.links.map(({ path, target }) => ({ path, target }));
  return `${JSON.stringify({ format: instanceFormat, id, name, version, digest, files, bytes, links })}\n`;
}

/** What `instance.json` says. */
export interface InstanceDescription extends Partial<InstanceSize> {
  format: number;
  id: InstanceId;
  name: string;
  version: string;
  digest: Digest;
  links: readonly LinkPlan[];
}

/** Reads an instance's description; undefined where the instance is not whole. */
export function readInstance(folder: string): InstanceDescription | undefined {
  try {
    const description = JSON.parse(readFileSync(join(folder, "instance.json"), "utf8")) as InstanceDescription;
    return description.format === instanceFormat ? description : undefined;
  } catch {
    return undefined;
  }
}
