/**
 * A strict reader of JSON with comments and trailing commas, the form of bun.lock. Stricter than the runtime's own:
 * duplicate keys and deep nesting are errors, and errors carry a position. Objects have no prototype, so `__proto__`
 * is a key like any other.
 */

export type Json = null | boolean | number | string | Json[] | JsonObject;
export interface JsonObject {
  [key: string]: Json;
}

/** Why and where a text is not JSONC; `line` and `column` count from 1. */
export interface JsoncProblem {
  message: string;
  line: number;
  column: number;
}

const maxDepth = 64;

/** Parses the whole text; a problem is returned, not thrown. */
export function parseJsonc(text: string): { value: Json } | { problem: JsoncProblem } {
  let at = text.charCodeAt(0) === 0xfeff ? 1 : 0;
  const end = text.length;

  function fail(message: string, where = at): never {
    const before = text.slice(0, where);
    const line = before.split("\n").length;
    throw { message, line, column: where - before.lastIndexOf("\n") } satisfies JsoncProblem;
  }

  function skip(): number {
    for (;;) {
      const c = text.charCodeAt(at);
      if (c === 0x20 || c === 0x0a || c === 0x0d || c === 0x09) at++;
      else if (c === 0x2f && text.charCodeAt(at + 1) === 0x2f) {
        const newline = text.indexOf("\n", at);
        at = newline < 0 ? end : newline;
      } else if (c === 0x2f && text.charCodeAt(at + 1) === 0x2a) {
        const close = text.indexOf("*/", at + 2);
        if (close < 0) fail("a comment is never closed");
        at = close + 2;
      } else return c;
    }
  }

  function string(): string {
    const start = at + 1;
    let close = text.indexOf('"', start);
    if (close < 0) fail("a string is never closed");
    let body = text.slice(start, close);
    if (body.includes("\\") || hasControl(body)) {
      while (escaped(close)) {
        close = text.indexOf('"', close + 1);
        if (close < 0) fail("a string is never closed");
      }
      try {
        body = JSON.parse(text.slice(at, close + 1)) as string;
      } catch {
        fail("a string has a bad escape or a control character");
      }
    }
    at = close + 1;
    return body;
  }

  /** True where an odd number of backslashes stands before the quote. */
  function escaped(quote: number): boolean {
    let slashes = 0;
    while (text.charCodeAt(quote - 1 - slashes) === 0x5c) slashes++;
    return slashes % 2 === 1;
  }

  function value(depth: number): Json {
    if (depth > maxDepth) fail(`more than ${maxDepth} levels of nesting`);
    const c = skip();
    if (c === 0x22) return string();
    if (c === 0x7b) return object(depth);
    if (c === 0x5b) return array(depth);
    const word = /[-+.\w]*/y;
    word.lastIndex = at;
    const token = word.exec(text)?.[0] ?? "";
    if (
      token === "true" ||
      token === "false" ||
      token === "null" ||
      /^-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?$/.test(token)
    ) {
      at += token.length;
      return JSON.parse(token) as Json;
    }
    return fail(at >= end ? "the text ends in the middle" : "a value is expected here");
  }

  function object(depth: number): JsonObject {
    const result = Object.create(null) as JsonObject;
    at++;
    for (;;) {
      let c = skip();
      if (c === 0x7d) break;
      if (c !== 0x22) fail(at >= end ? "the text ends in the middle" : "a key in double quotes is expected here");
      const where = at;
      const key = string();
      if (key in result) fail(`the key ${JSON.stringify(key)} stands here twice`, where);
      if (skip() !== 0x3a) fail("`:` is expected here");
      at++;
      result[key] = value(depth + 1);
      c = skip();
      if (c === 0x2c) at++;
      else if (c !== 0x7d) fail(at >= end ? "the text ends in the middle" : "`,` or `}` is expected here");
    }
    at++;
    return result;
  }

  function array(depth: number): Json[] {
    const result: Json[] = [];
    at++;
    for (;;) {
      let c = skip();
      if (c === 0x5d) break;
      result.push(value(depth + 1));
      c = skip();
      if (c === 0x2c) at++;
      else if (c !== 0x5d) fail(at >= end ? "the text ends in the middle" : "`,` or `]` is expected here");
    }
    at++;
    return result;
  }

  try {
    const result = value(0);
    skip();
    if (at < end) fail("something stands after the end");
    return { value: result };
  } catch (thrown) {
    if (thrown instanceof Error) throw thrown;
    return { problem: thrown as JsoncProblem };
  }
}

function hasControl(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) < 0x20) return true;
  return false;
}

/** True for a JSON object (not an array, not null). */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
