/** Assertions on a JSON document: `json .error.code == CSP_USAGE`. */
import { compareNumbers } from "./session.ts";

/** The value at a path like `.data.packages[0]["a.b"]`; undefined where there is none. `.` is the document. */
export function valueAt(document: unknown, path: string): unknown {
  let value = document;
  const step = /\.([A-Za-z_$@][\w$@/-]*)|\[(\d+)\]|\["([^"]*)"\]|(.)/gy;
  for (const [, key, index, quoted, stray] of (path === "." ? "" : path).matchAll(step)) {
    if (stray !== undefined) throw new Error(`not a path: ${path}`);
    if (typeof value !== "object" || value === null) return undefined;
    const name = key ?? index ?? quoted ?? "";
    value = Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
  }
  return value;
}

/** True where the value fits: `== != < <= > >=`, `=~` a regular expression, `contains`, `length` a number, `exists`. */
export function holdsFor(value: unknown, operator: string, operand: { text: string; pattern: string }): boolean {
  const wanted = literal(operand.text);
  switch (operator) {
    case "==":
      return Bun.deepEquals(value, wanted, true);
    case "!=":
      return !Bun.deepEquals(value, wanted, true);
    case "=~":
      return typeof value === "string" && new RegExp(operand.pattern, "m").test(value);
    case "contains":
      if (Array.isArray(value)) return value.some((each) => Bun.deepEquals(each, wanted, true));
      if (typeof value === "string") return value.includes(operand.text);
      return typeof value === "object" && value !== null && Object.hasOwn(value, operand.text);
    case "length":
      return (Array.isArray(value) || typeof value === "string" ? value : Object.keys(Object(value))).length === wanted;
    case "exists":
      return value !== undefined;
    default:
      return typeof value === "number" && compareNumbers(value, operator, Number(operand.text));
  }
}

/** JSON where it is JSON, else the text itself: so strings need no quotes. */
function literal(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Reads output that must be exactly one JSON document with a newline at its end. */
export function parseDocument(text: string): unknown {
  if (!text.endsWith("\n")) throw new Error("stdout does not end with a newline");
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`stdout is not one JSON document: ${(error as Error).message}`);
  }
}
