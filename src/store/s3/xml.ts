/**
 * The XML that S3 and STS answer with: elements and text. A document type, unknown entities, a mismatched tag, too much
 * depth or too many elements make it none at all, so nothing in it can expand or recurse.
 */

export interface XmlElement {
  /** Without a namespace prefix. */
  name: string;
  children: readonly XmlElement[];
  /** Character data directly inside, joined. */
  text: string;
}

interface Open {
  name: string;
  children: XmlElement[];
  text: string;
}

const deepest = 16;
const mostElements = 100_000;
const longestName = 200;

/** The root element; undefined for what is no such document. Attributes and comments are skipped. */
export function readXml(text: string): XmlElement | undefined {
  const document: Open = { name: "", children: [], text: "" };
  const open: Open[] = [document];
  let elements = 0;
  let at = 0;
  while (at < text.length) {
    const inner = open[open.length - 1] as Open;
    const next = text.indexOf("<", at);
    const data = decoded(text.slice(at, next < 0 ? text.length : next));
    if (data === undefined) return undefined;
    if (inner === document) {
      if (data.replace(/^\ufeff/, "").trim() !== "") return undefined;
    } else inner.text += data;
    if (next < 0) break;
    const skipped = pastSkipped(text, next, inner);
    if (skipped !== undefined) {
      if (skipped < 0) return undefined;
      at = skipped;
      continue;
    }
    const end = text.indexOf(">", next);
    const tag = end < 0 ? undefined : tagOf(text.slice(next + 1, end));
    if (tag === undefined) return undefined;
    at = end + 1;
    if (tag.kind === "close") {
      if (open.length === 1 || inner.name !== tag.name) return undefined;
      open.pop();
      continue;
    }
    if (++elements > mostElements || open.length > deepest) return undefined;
    const element: Open = { name: tag.name, children: [], text: "" };
    inner.children.push(element);
    if (tag.kind === "open") open.push(element);
  }
  return open.length === 1 && document.children.length === 1 ? document.children[0] : undefined;
}

/** The first element of that name among the children. */
export function childOf(element: XmlElement | undefined, name: string): XmlElement | undefined {
  return element?.children.find((child) => child.name === name);
}

/** The text of the first child of that name. */
export function textOf(element: XmlElement | undefined, name: string): string | undefined {
  return childOf(element, name)?.text;
}

/** Position after a comment, an instruction or a CDATA section at `at`; -1 where it never ends or is forbidden. */
function pastSkipped(text: string, at: number, inner: Open): number | undefined {
  const past = (start: string, end: string): number | undefined => {
    if (!text.startsWith(start, at)) return undefined;
    const found = text.indexOf(end, at + start.length);
    return found < 0 ? -1 : found + end.length;
  };
  const cdata = past("<![CDATA[", "]]>");
  if (cdata !== undefined && cdata > 0) inner.text += text.slice(at + 9, cdata - 3);
  return cdata ?? past("<!--", "-->") ?? past("<?", "?>") ?? (text.startsWith("<!", at) ? -1 : undefined);
}

function tagOf(inside: string): { kind: "open" | "close" | "empty"; name: string } | undefined {
  const [, slash = "", name, empty = ""] =
    /^(\/?)(?:[\w.-]+:)?([A-Za-z_][\w.-]*)(?:\s[^<]*?)?(\/?)$/.exec(inside) ?? [];
  if (name === undefined || name.length > longestName || (slash !== "" && empty !== "")) return undefined;
  return { kind: slash !== "" ? "close" : empty !== "" ? "empty" : "open", name };
}

const entities: ReadonlyMap<string, string> = new Map([
  ["amp", "&"],
  ["lt", "<"],
  ["gt", ">"],
  ["quot", '"'],
  ["apos", "'"],
]);

function decoded(text: string): string | undefined {
  if (!text.includes("&")) return text;
  let known = true;
  const result = text.replace(/&(?:#(\d{1,7}|x[0-9a-fA-F]{1,6});|([a-z]{1,8});)?/g, (_, code?: string, name = "") => {
    const char = code === undefined ? entities.get(name) : character(code);
    if (char === undefined) known = false;
    return char ?? "";
  });
  return known ? result : undefined;
}

function character(code: string): string | undefined {
  const point = code.startsWith("x") ? Number.parseInt(code.slice(1), 16) : Number(code);
  return point > 0 && point <= 0x10ffff ? String.fromCodePoint(point) : undefined;
}
