/** The XML reader: what S3 sends is read, and nothing in it can expand, recurse or surprise. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { childOf, readXml, textOf } from "../../../src/store/s3/xml.ts";

test("a listing", () => {
  const root = readXml(`<?xml version="1.0" encoding="UTF-8"?>
    <!-- of a bucket -->
    <ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
      <Name>bucket</Name><Empty/><Void></Void>
      <Contents><Key>a&amp;b&#x20;&#99;</Key><Size>12</Size></Contents>
      <Contents><Key><![CDATA[<&>]]>d</Key><Size>0</Size></Contents>
    </ListBucketResult>`);
  expect(root?.name).toBe("ListBucketResult");
  expect(root?.children.map(({ name }) => name)).toEqual(["Name", "Empty", "Void", "Contents", "Contents"]);
  expect(root?.children.filter(({ name }) => name === "Contents").map((each) => textOf(each, "Key"))).toEqual([
    "a&b c",
    "<&>d",
  ]);
  expect(textOf(root, "Empty")).toBe("");
  expect(textOf(root, "Other")).toBeUndefined();
  expect(textOf(childOf(undefined, "a"), "b")).toBeUndefined();
});

test("a prefix of a name is not a part of it", () => {
  expect(readXml("<s:Error xmlns:s='x'><s:Code>A</s:Code></s:Error>")?.children[0]?.name).toBe("Code");
});

const hostile: Record<string, string> = {
  nothing: "",
  "text alone": "hello",
  "text around": "a<b></b>",
  "a document type with entities": '<!DOCTYPE a [<!ENTITY b "cc"><!ENTITY d "&b;&b;">]><a>&d;</a>',
  "an external entity": '<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
  "an unknown entity": "<a>&nbsp;</a>",
  "an ampersand alone": "<a>b & c</a>",
  "a character of no number": "<a>&#0;</a>",
  "a character beyond all": "<a>&#x110000;</a>",
  "two roots": "<a/><b/>",
  "tags that do not match": "<a><b></a></b>",
  "a tag that is not closed": "<a><b></b>",
  "a close too many": "<a></a></a>",
  "a comment without end": "<a><!-- </a>",
  "character data without end": "<a><![CDATA[ </a>",
  "a sign in a name": "<a$></a$>",
  "too deep": "<a>".repeat(40) + "</a>".repeat(40),
  "too many": `<a>${"<b/>".repeat(100_001)}</a>`,
};
for (const [what, text] of Object.entries(hostile)) {
  test(`${what} is no document`, () => expect(readXml(text)).toBeUndefined());
}

test("megabytes of one kind are refused or read in no time", () => {
  const start = performance.now();
  for (const piece of ["<", "<a ", "&", "&#", "<a>", "<!--", "]]>", "</", " ", "a=", "<a a='"]) {
    readXml(piece.repeat(1_000_000));
    readXml(`<a>${piece.repeat(1_000_000)}</a>`);
  }
  expect(performance.now() - start).toBeLessThan(10_000);
});

test("whatever the text, there is an answer", () => {
  const pieces = [
    "<a>",
    "</a>",
    "<a/>",
    "<b x='1'>",
    "</b>",
    "&amp;",
    "&#65;",
    "&",
    "<!--",
    "-->",
    "<?x?>",
    "<![CDATA[",
    "]]>",
    "t",
  ];
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.constantFrom(...pieces), fc.string()), { maxLength: 20 }), (parts) => {
      const root = readXml(parts.join(""));
      expect(root === undefined || root.name.length > 0).toBe(true);
    }),
  );
});
