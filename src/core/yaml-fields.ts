/** Reading typed values out of a YAML tree, with every mistake reported at its place instead of thrown. */
import { nearest } from "./nearest.ts";
import { durationForm, parseDuration, parseSize, sizeForm } from "./quantity.ts";
import { quoted } from "./quote.ts";
import type { Span, YamlNode, YamlPair } from "./yaml-tree.ts";

/** Takes one mistake; the text is lower case without full stop. */
export type Report = (at: Span, text: string, hint?: string) => void;

/** What a node is, for messages; a scalar is quoted as it stands. */
export function describe(node: YamlNode): string {
  if (node.kind !== "scalar") return node.kind === "map" ? "a map" : "a list";
  if (node.value === null) return "nothing";
  if (typeof node.value === "string") return quoted(node.value);
  return `the ${typeof node.value} ${quoted(String(node.value))}`;
}

/**
 * The fields of a map by name; one that is missing, or has nothing behind its key, has none. Reports what is not a map, a field that stands twice,
 * and, where `known` is given, fields that are not among them, with the nearest that is.
 */
export function readFields(
  node: YamlNode | undefined,
  where: string,
  known: readonly string[] | undefined,
  report: Report,
): ReadonlyMap<string, YamlPair> {
  const fields = new Map<string, YamlPair>();
  if (node === undefined || (node.kind === "scalar" && node.source === "")) return fields;
  if (node.kind !== "map") {
    report(node, `${where} is a map of names to values, not ${describe(node)}`);
    return fields;
  }
  for (const pair of node.pairs) {
    if (fields.has(pair.name)) {
      report(pair.key, `${quoted(pair.name)} stands twice in ${where}`);
    } else if (known !== undefined && !known.includes(pair.name)) {
      const near = nearest(pair.name, known);
      const help = near === undefined ? `known are ${known.join(", ")}` : `did you mean \`${near}\`?`;
      report(pair.key, `${where} has no setting ${quoted(pair.name)}; ${help}`);
    } else {
      fields.set(pair.name, pair);
    }
  }
  return fields;
}

/** A text that is not empty and holds no control characters. */
export function readText(pair: YamlPair | undefined, report: Report): string | undefined {
  if (pair === undefined) return undefined;
  const { value } = pair;
  if (value.kind !== "scalar" || typeof value.value !== "string") {
    const quote = value.kind === "scalar" && value.value !== null ? "; put it in quotes" : "";
    report(place(pair), `\`${pair.name}\` is a text, not ${describe(value)}${quote}`);
  } else if (value.value.trim() === "") {
    report(value, `\`${pair.name}\` is empty; leave it out instead`);
  } else if (/\p{Cc}/u.test(value.value)) {
    report(value, `\`${pair.name}\` holds a line break or another control character`);
  } else {
    return value.value;
  }
  return undefined;
}

export function readBoolean(pair: YamlPair | undefined, report: Report): boolean | undefined {
  if (pair === undefined) return undefined;
  if (pair.value.kind === "scalar" && typeof pair.value.value === "boolean") return pair.value.value;
  report(place(pair), `\`${pair.name}\` is \`true\` or \`false\`, not ${describe(pair.value)}`);
  return undefined;
}

/** A whole number from 0 up to the limit. */
export function readCount(pair: YamlPair | undefined, limit: number, report: Report): number | undefined {
  if (pair === undefined) return undefined;
  const value = pair.value.kind === "scalar" ? pair.value.value : undefined;
  if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= limit) return value;
  report(place(pair), `\`${pair.name}\` is a whole number from 0 to ${limit}, not ${describe(pair.value)}`);
  return undefined;
}

/** One of a few words. */
export function readChoice<T extends string>(
  pair: YamlPair | undefined,
  choices: readonly T[],
  report: Report,
): T | undefined {
  if (pair === undefined) return undefined;
  const value = pair.value.kind === "scalar" ? pair.value.value : undefined;
  const choice = choices.find((candidate) => candidate === value);
  if (choice !== undefined) return choice;
  const near = typeof value === "string" ? nearest(value, choices) : undefined;
  const help = near === undefined ? "" : `; did you mean \`${near}\`?`;
  const list = choices.map((candidate) => `\`${candidate}\``).join(" or ");
  report(place(pair), `\`${pair.name}\` is ${list}, not ${describe(pair.value)}${help}`);
  return undefined;
}

/** Milliseconds. */
export function readDuration(pair: YamlPair | undefined, report: Report): number | undefined {
  return readQuantity(pair, parseDuration, durationForm, report);
}

/** Bytes. */
export function readSize(pair: YamlPair | undefined, report: Report): number | undefined {
  return readQuantity(pair, parseSize, sizeForm, report);
}

function readQuantity(
  pair: YamlPair | undefined,
  parse: (text: string) => number | undefined,
  form: string,
  report: Report,
): number | undefined {
  if (pair === undefined) return undefined;
  const value = pair.value.kind === "scalar" ? pair.value.value : undefined;
  const quantity = typeof value === "string" ? parse(value) : undefined;
  if (quantity === undefined) report(place(pair), `\`${pair.name}\` is ${form}, not ${describe(pair.value)}`);
  return quantity;
}

/** Where to point for a pair's value: at its key where there is no value to point at. */
export function place(pair: YamlPair): Span {
  return pair.value.from === pair.value.to ? pair.key : pair.value;
}
