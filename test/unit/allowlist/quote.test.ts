import { expect, test } from "bun:test";
import { quoted } from "../../../src/core/quote.ts";

test.each([
  ["lodash", "`lodash`"],
  ["a`b", "`ab`"],
  ["red\u001b[31m\r\n", "`red[31m`"],
  ["right\u202eleft\u200b\ufeff", "`rightleft`"],
  ["https://user:s3cret@npm.example.com/x", "`https://npm.example.com/x`"],
  ["git+ssh://s3cret@npm.example.com/a@b", "`git+ssh://b`"],
  ["https://npm.example.com/x?token=s3cret#s3cret", "`https://npm.example.com/x?…`"],
  ["a".repeat(500), `\`${"a".repeat(80)}…\``],
  [`https://${"s3cret".repeat(20)}@npm.example.com/`, "`https://npm.example.com/`"],
  [`${"a".repeat(75)}😀`.slice(0, -1), `\`${"a".repeat(75)}\ufffd\``],
])("%p is shown as %p", (text, shown) => {
  expect(quoted(text)).toBe(shown);
});
