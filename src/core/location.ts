/**
 * Locations: the keys of a lockfile. A location is a package's place in the hoisted layout with `/node_modules/`
 * written as `/`: `a`, `a/b`, `@s/q/b`. Each segment is the name a dependency is imported by (an alias keeps its own).
 */

const segment = /^(?:@[\w~-][\w.~-]*\/)?[\w~-][\w.~-]*$/;

/** True for a name that may become a directory inside a node_modules; wider than what a registry accepts today. */
export function isSafeName(name: string): boolean {
  return (
    name.length <= 214 &&
    segment.test(name) &&
    name !== "node_modules" &&
    name !== "__proto__" &&
    !name.endsWith("/node_modules")
  );
}

/** Splits a location into its segments; undefined where one of them is not a safe name. */
export function splitLocation(location: string): string[] | undefined {
  const parts = location.split("/");
  const segments: string[] = [];
  for (let i = 0; i < parts.length; i++) {
    let part = parts[i] ?? "";
    if (part.startsWith("@")) part = `${part}/${parts[++i] ?? ""}`;
    if (!isSafeName(part)) return undefined;
    segments.push(part);
  }
  return segments;
}

/** The location one segment up; "" above a top-level one. */
export function parentLocation(location: string): string {
  let cut = location.lastIndexOf("/");
  if (cut < 0) return "";
  const before = location.lastIndexOf("/", cut - 1);
  if (location.charCodeAt(before + 1) === 0x40) cut = before;
  return cut < 0 ? "" : location.slice(0, cut);
}

/** `a/@s/q` as a path inside a tree: `node_modules/a/node_modules/@s/q`. */
export function locationPath(segments: readonly string[]): string {
  return `node_modules/${segments.join("/node_modules/")}`;
}

/** Byte order, the only order csp writes in: free of locales. */
export function byteOrder(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
