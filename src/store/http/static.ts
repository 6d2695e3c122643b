/**
 * The root in a plain copy of a directory store: `root/<n>`, each written once, and `root/latest`, which may lag. What is there
 * is found out by asking.
 */
import type { HttpAnswer } from "../../net/http.ts";
import { badAnswer } from "../failures.ts";
import type { RootState } from "../store.ts";
import { serveHeader } from "./mode.ts";
import type { Question, Remote } from "./request.ts";
import { maxRootBytes, rootText } from "./text.ts";

const prefix = "static:";

/** The number in a version of a plain copy; undefined for other versions. */
export function staticNumber(version: string | undefined): number | undefined {
  return version?.startsWith(prefix) ? parseNumber(version.slice(prefix.length)) : undefined;
}

/** Says "replaced" where `csp serve` answers in the place of the copy. */
export type StaticAnswer = RootState | "unchanged" | undefined | "replaced";

/** Reads the newest root; `known` is the number that the caller has. One small request where nothing changed. */
export async function readStaticRoot(remote: Remote, known: number | undefined): Promise<StaticAnswer> {
  let at = known ?? 0;
  if (known !== undefined) {
    const next = await ask(remote, "HEAD", known + 1);
    if (next.headers.has(serveHeader)) return "replaced";
    if (next.status === 404) return "unchanged";
    // Some object stores say 403 for what is not there. They may as well have shut the door.
    if (next.status === 403) return (await find(remote, known)) ? "unchanged" : refuse(remote);
    at = known + 1;
  }
  const hint = await readHint(remote);
  if (hint === "replaced") return hint;
  if (hint !== undefined && hint > at && (await find(remote, hint))) at = hint;
  const newest = await gallop(remote, at);
  return newest === 0 ? undefined : readNumbered(remote, newest);
}

async function readNumbered(remote: Remote, number: number): Promise<RootState> {
  const answer = await ask(remote, "GET", number, maxRootBytes);
  if (answer.status !== 200) throw badAnswer(remote.address, `lost \`root/${number}\` while it was read`);
  const text = rootText(remote.address, answer.body);
  if (!text.trimStart().startsWith("{")) throw badAnswer(remote.address, `has a \`root/${number}\` that is no root`);
  return { version: `${prefix}${number}`, text };
}

/** The highest number from `from` on without a gap that matters: steps double while they find something, then halve. */
async function gallop(remote: Remote, from: number): Promise<number> {
  let at = from;
  let step = 1;
  for (; at + step < Number.MAX_SAFE_INTEGER && (await find(remote, at + step)); step *= 2) at += step;
  for (step = Math.floor(step / 2); step >= 1; step = Math.floor(step / 2)) {
    if (await find(remote, at + step)) at += step;
  }
  return at;
}

async function find(remote: Remote, number: number): Promise<boolean> {
  return (await ask(remote, "HEAD", number)).status === 200;
}

async function readHint(remote: Remote): Promise<number | undefined | "replaced"> {
  const answer = await remote.ask(question("GET", "root/latest"));
  if (answer.headers.has(serveHeader)) return "replaced";
  return answer.status === 200 ? parseNumber(new TextDecoder().decode(answer.body).trim()) : undefined;
}

function ask(remote: Remote, method: "GET" | "HEAD", number: number, maxBytes?: number): Promise<HttpAnswer> {
  return remote.ask(question(method, `root/${number}`, maxBytes));
}

/** `no-cache`: copies are often served through caches, which then have to look. */
function question(method: "GET" | "HEAD", path: string, maxBytes = 1000): Question {
  const headers = { "cache-control": "no-cache" };
  return { method, path, headers, maxBytes, accept: [200, 403, 404], action: "show its root" };
}

/** Asks once more in a way that takes a 403 for what it is. */
async function refuse(remote: Remote): Promise<never> {
  await remote.ask({ ...question("GET", "csp-store.json"), accept: [200] });
  throw badAnswer(remote.address, "no longer has the root that was read from it");
}

function parseNumber(text: string): number | undefined {
  return /^[1-9]\d{0,14}$/.test(text) ? Number(text) : undefined;
}
