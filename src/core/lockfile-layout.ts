/** The layout of a lockfile's text: plain JSON, one package a line. */
import type { Json, JsonObject } from "./jsonc.ts";

/**
 * The text without the white space that the layout adds. If that equals the compact form of its own parsed value, it has
 * no duplicate keys and nothing that the value does not show: two native passes instead of a strict reading.
 */
export function withoutLayout(text: string): string {
  return text.trimEnd().replaceAll(/\n */g, "").replaceAll('": ', '":');
}

/** Lays out a lockfile's value the canonical way. */
export function lockfileText(raw: JsonObject): string {
  const parts: string[] = [];
  for (const key of Object.keys(raw)) {
    const value = raw[key] as Json;
    if (key === "packages") parts.push(`  "packages": ${lines(value as JsonObject, "    ", "  ")}`);
    else if (key === "csp") {
      const csp = value as JsonObject;
      const inner = Object.keys(csp).map((name) =>
        name === "packages"
          ? `    "packages": ${lines(csp.packages as JsonObject, "      ", "    ")}`
          : `    ${JSON.stringify(name)}: ${JSON.stringify(csp[name])}`,
      );
      parts.push(`  "csp": {\n${inner.join(",\n")}\n  }`);
    } else parts.push(`  ${JSON.stringify(key)}: ${indented(value)}`);
  }
  return `{\n${parts.join(",\n")}\n}\n`;
}

function lines(entries: JsonObject, indent: string, close: string): string {
  const keys = Object.keys(entries);
  if (keys.length === 0) return "{}";
  let text = "{";
  let separator = "\n";
  for (const key of keys) {
    text += `${separator}${indent}${JSON.stringify(key)}: ${JSON.stringify(entries[key])}`;
    separator = ",\n";
  }
  return `${text}\n${close}}`;
}

function indented(value: Json): string {
  return JSON.stringify(value, null, 2).replaceAll("\n", "\n  ");
}
