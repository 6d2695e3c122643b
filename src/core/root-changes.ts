/** What scripts can import after a switch, compared with before. */
import { byteOrder } from "./location.ts";
import type { RootPlan } from "./tree-plan.ts";

export interface RootChange {
  kind: "added" | "removed" | "changed";
  name: string;
  /** Version, with the registry's name before it for an alias. */
  from: string | undefined;
  to: string | undefined;
}

type Root = Pick<RootPlan, "name" | "package" | "version">;

/** Changes by name, in byte order. */
export function diffRoots(before: readonly Root[] | undefined, after: readonly Root[]): RootChange[] {
  const old = new Map(before?.map((root) => [root.name, target(root)]));
  const now = new Map(after.map((root) => [root.name, target(root)]));
  return [...new Set([...old.keys(), ...now.keys()])].sort(byteOrder).flatMap((name): RootChange[] => {
    const from = old.get(name);
    const to = now.get(name);
    if (from === to) return [];
    return [{ kind: from === undefined ? "added" : to === undefined ? "removed" : "changed", name, from, to }];
  });
}

function target({ name, package: registryName, version }: Root): string {
  return name === registryName ? version : `${registryName}@${version}`;
}
