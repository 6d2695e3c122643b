/** Naming another store in an allowlist; everything else in the file stays as it is. */
import { parseAllowlist, withoutMark } from "./allowlist.ts";
import { CspError, isCspError } from "./errors.ts";
import { readYaml } from "./yaml-read.ts";
import { formatScalar, insertPair, splice } from "./yaml-splice.ts";

/** The text with `store: <address>` in place of what stood there, or added. Throws CSP_ALLOWLIST_INVALID. */
export function withStore(text: string, address: string, file = "script-packages.yaml"): string {
  const body = withoutMark(text);
  const before = parseAllowlist(body, file);
  if (Bun.deepEquals(before.stores, [address])) return text;
  const after = setStore(body, formatScalar(address, "plain"));
  if (after === undefined || !saysSo(after, address, file)) {
    throw new CspError("CSP_ALLOWLIST_INVALID", {
      message: `\`${file}\` is written in a way that csp cannot edit without risk`,
      hint: "change `store:` by hand to the new address",
    });
  }
  return text.slice(0, text.length - body.length) + after;
}

function setStore(text: string, value: string): string | undefined {
  const read = readYaml(text);
  const root = read.ok ? read.root : undefined;
  if (root === undefined) return `${text}${text === "" || text.endsWith("\n") ? "" : "\n"}store: ${value}\n`;
  if (root.kind !== "map") return undefined;
  const pair = root.pairs.find(({ name }) => name === "store");
  if (pair === undefined) return insertPair(text, root, root.pairs.length, `store: ${value}`);
  const { from, to, kind } = pair.value;
  // A block list begins on a line of its own; a single address stands beside its key.
  if (kind === "list" && !pair.value.flow) return splice(text, pair.key.to, to, `: ${value}`);
  return splice(text, from, to, value);
}

function saysSo(text: string, address: string, file: string): boolean {
  try {
    return Bun.deepEquals(parseAllowlist(text, file).stores, [address]);
  } catch (error) {
    if (isCspError(error)) return false;
    throw error;
  }
}
