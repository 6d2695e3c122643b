/** The harness must be able to fail: each wrong page below has to be refused, and to say where and why. */
import { describe, expect, test } from "bun:test";
import { parseScript } from "../../support/script/parse.ts";
import { runScript } from "../../support/script/run.ts";
import { expandWord, splitLine } from "../../support/script/words.ts";

async function failure(page: string): Promise<string> {
  try {
    await runScript(parseScript("page.txt", page));
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error(`this page should have failed:\n${page}`);
}

const files = "\n-- a.txt --\nfirst\n-- b.txt --\nsecond\n-- list.json --\n[1]\n-- _registry/a@1.0.0 --\n";

describe("a page fails", () => {
  const pages: [string, RegExp][] = [
    ["exec false", /exit status 1, wanted 0/],
    ["! exec true", /exit status 0, wanted a failure/],
    ["exit 4 exec false", /exit status 1, wanted 4/],
    ["exit SIGTERM exec sh -c 'exit 143'", /exit status 143, wanted SIGTERM/],
    ["! exec sh -c 'kill -KILL $$'", /ended by SIGKILL/],
    ["exec no-such-program", /no-such-program/],
    ["stdout x", /no command has run/],
    ["exec echo hello\nstdout bye", /is not so: stdout matches bye[\s\S]*hello/],
    ["exec echo hello\n! stdout hello", /should not be so/],
    ["exec echo hello\nstderr hello", /is not so/],
    ["cmp a.txt b.txt", /- second\n\+ first/],
    ["cmp a.txt list.json", /- \[1\]/],
    ["! cmp a.txt a.txt", /should not be so/],
    ["exec cat list.json\njson .[0] == 2", /not a path/],
    ["exec cat list.json\njson [0] == 2", /is not so[\s\S]*it is 1/],
    ["exec cat a.txt\njson . exists", /not one JSON document/],
    ["exec printf 1\njson . == 1", /newline/],
    ["exists c.txt", /is not so: c.txt exists/],
    ["! exists a.*", /should not be so/],
    ["empty .", /not empty/],
    ["count *.txt == 3", /2 match/],
    ["grep third a.txt b.txt", /is not so/],
    ["! grep first .", /should not be so: first stands in \$WORK\/a.txt/],
    ["grep first c.txt", /no such file/],
    ["snapshot one\nappend a.txt more\nunchanged one", /a.txt: file .* → file/],
    ["snapshot one a.txt\nrm a.txt\nunchanged one", /→ absent/],
    ["snapshot one\nwrite home/.npmrc x\n! unchanged one", /should not be so/],
    ["unchanged never", /no snapshot/],
    ["replace a.txt third x", /does not have/],
    ["rm ../x\nwrite ../x y", /outside of \$WORK/],
    ["exec echo $NOWHERE", /no such variable: \$NOWHERE/],
    ["exec echo $DIGEST[a@2.0.0]", /no a@2.0.0/],
    [
      "exec $BUN -e 'await fetch(process.argv[1])' $REGISTRY/a\nregistry requests == 2",
      /1 requests are == 2[\s\S]*GET \/a/,
    ],
    ["exec $BUN -e 'await fetch(process.argv[1])' $REGISTRY/a\n! registry requests GET", /should not be so/],
    ["registry requests GET", /asked was nothing/],
    ["registry header authorization", /seen were none/],
    ["registry fault x no-such-fault", /unknown fault/],
    ["registry explode", /usage: registry down/],
    ["background one exec sleep 60", /never waited for: one/],
    ["wait one", /nothing runs/],
    ["background one exec echo a\nawait stdout one b", /ended without[\s\S]*\n {4}a/],
    ["background one exec echo a\ntype one x", /has no terminal/],
    ["cd a.txt", /not a directory/],
  ];
  for (const [commands, message] of pages) {
    test(commands.replaceAll("\n", " ⏎ "), async () => {
      expect(await failure(commands + files)).toMatch(message);
    });
  }
});

describe("a page is refused before anything runs", () => {
  const pages: [string, RegExp][] = [
    ["", /no commands/],
    ["write ran x\nsdtout x", /page.txt:2: sdtout x\nunknown command sdtout/],
    ["cmp a.txt", /usage: cmp/],
    ["! cp a b", /! has no meaning before cp/],
    ["exit 3 stdout x", /exit has no meaning/],
    ["exit csp", /exit STATUS/],
    ["!", /no command/],
    ["exec 'x", /a quote does not end/],
    ["skip-unless luck why not", /skip-unless NEED REASON/],
    ["exec true\nskip-unless root why not", /above all commands/],
    ["exec true\n-- a --\n-- a --", /stands twice/],
    ["exec true\n-- ../a --", /outside of \$WORK/],
    ["exec true\n-- _registry/a/package.json --", /name@version/],
    ["exec true\n-- _registry/a@1.0.0/package.json --\n{", /no JSON/],
    ['exec true\n-- _registry/a@1.0.0/.meta.json --\n{"tag": 1}', /unknown key/],
  ];
  for (const [page, message] of pages) {
    test(page.replaceAll("\n", " ⏎ "), async () => {
      expect(await failure(page)).toMatch(message);
    });
  }
});

test("a failure shows its phase only, and neither the temporary directory nor the port", async () => {
  const message = await failure("# first\nexec echo early\n# second\nexec echo $WORK $REGISTRY/a\nstdout nothing");
  expect(message).toBe(
    [
      "page.txt:5 # second",
      "  exec echo $WORK $REGISTRY/a",
      "✗ stdout nothing",
      "is not so: stdout matches nothing",
      "  stdout:",
      "    $WORK $REGISTRY/a",
    ].join("\n"),
  );
});

test("what comes from a variable matches only itself", () => {
  const lookup = (name: string, argument: string | undefined) =>
    argument === undefined ? { HOST: "1.2" }[name] : undefined;
  const expand = (line: string) => splitLine(line).map((word) => expandWord(word, lookup));
  // biome-ignore lint/suspicious/noTemplateCurlyInString: text of a script, not of this file
  expect(expand("^${HOST}x$ \"$HOST a\"$HOST[ab] '$HOST'")).toEqual([
    { text: "^1.2x$", pattern: "^1\\.2x$" },
    { text: "1.2 a1.2[ab]", pattern: "1\\.2 a1\\.2[ab]" },
    { text: "$HOST", pattern: "$HOST" },
  ]);
});
