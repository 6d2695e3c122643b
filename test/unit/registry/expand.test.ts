// biome-ignore-all lint/suspicious/noTemplateCurlyInString: npm writes variables like that
import { describe, expect, test } from "bun:test";
import { expandVariables, hasVariable } from "../../../src/registry/expand.ts";

const env = { TOKEN: "t0k", EMPTY: "", "odd name": "odd" };

describe("variables in npm configuration", () => {
  const cases: [text: string, result: string][] = [
    ["plain", "plain"],
    ["${TOKEN}", "t0k"],
    ["a${TOKEN}b${TOKEN}c", "at0kbt0kc"],
    ["\\${TOKEN}", "${TOKEN}"],
    ["\\\\${TOKEN}", "\\t0k"],
    ["${MISSING?}", ""],
    ["${TOKEN?}", "t0k"],
    ["${MISSING-default}", "default"],
    ["${MISSING-}", ""],
    ["${MISSING-a-b:c?}", "a-b:c?"],
    ["${EMPTY-default}", ""],
    ["${EMPTY:-default}", "default"],
    ["${TOKEN:-default}", "t0k"],
    ["${odd name}", "odd"],
    ["$TOKEN", "$TOKEN"],
    ["${}", "${}"],
  ];
  test.each(cases)("%s is %j", (text, result) => {
    expect(expandVariables(text, env)).toMatchObject({ kind: "text", text: result });
  });

  test("an unset variable is named, not sent literally", () => {
    expect(expandVariables("a${TOKEN}${MISSING}${OTHER}", env)).toEqual({ kind: "unset", variable: "MISSING" });
  });

  test("what every object has is not a variable", () => {
    expect(expandVariables("${constructor}", env)).toEqual({ kind: "unset", variable: "constructor" });
  });

  test("an empty variable is reported, unless it has a default", () => {
    expect(expandVariables("${EMPTY}", env)).toEqual({ kind: "text", text: "", empty: ["EMPTY"] });
    expect(expandVariables("${EMPTY:-x}", env)).toEqual({ kind: "text", text: "x", empty: [] });
  });

  test("an escaped reference reads no environment", () => {
    expect([hasVariable("\\${A}"), hasVariable("x${A}"), hasVariable("$A")]).toEqual([false, true, false]);
  });
});
