/** Texts for the tests of the allowlist: ordinary ones of many shapes, and a source of broken ones. */
import fc from "fast-check";

const full = `# what our scripts may use
packages:
  # small helpers
  leftpad: 0.0.1 # asked for by the reports team
  "@acme/tools": 2.1.0
  lodash: { version: 4.17.21, enabled: false, reason: "only for the old reports" }

  events-npm: npm:events@3.3.0
  sharp:
    version: '0.33.5'
    # images
    optional: true
registry:
  url: https://npm.example.com/ # ours
  scopes: { "@acme": https://npm.acme.example/ }
linker: hoisted
platforms: [linux-x64, linux-arm64-musl, darwin-arm64]
sizeCap: { warn: 150MB, block: 300MB }
minimumReleaseAge: 3d
store: s3://script-packages/prod
minimumFreeSpace: 500MB
gc: { keepPrevious: 2, treeGrace: 2h, blobGrace: 36h, auto: true }
`;

/** Valid allowlists by what is special about them. */
export const samples: Readonly<Record<string, string>> = {
  full,
  "windows line breaks": full.replaceAll("\n", "\r\n"),
  "byte order mark": `\ufeff${full}`,
  "no last line break": "linker: isolated\npackages:\n  a: 1.0.0\n  c: 1.0.0",
  empty: "",
  "comments only": "# nothing yet\n",
  "no packages": "linker: isolated\n",
  "packages without value": "packages: # soon\n  # one a line\n\nlinker: isolated\n",
  "packages as {}": "packages: {} # soon\nlinker: isolated\n",
  "sorted, wide, quoted": "packages:\n    'a': '1.0.0'\n    'c': '1.0.0'\n    'e': '1.0.0'\n",
  unsorted: "packages:\n  zod: 1.0.0\n  ajv: 1.0.0\n\n# the end\n",
  "groups and blank lines":
    "packages:\n  # first\n  a: 1.0.0\n\n  # second\n  c: 1.0.0\n\n  # third\n  e: 1.0.0\n\nlinker: hoisted\n",
  "braces on a line": "packages: { a: 1.0.0, c: { version: 1.0.0 }, e: 1.0.0 } # all\nlinker: hoisted\n",
  "braces on lines": "packages: {\n  a: 1.0.0, # the a\n  c: 1.0.0, # the c\n  e: 1.0.0 # the e\n}\n",
  "braces, comma at the end": "packages: {\n  a: 1.0.0,\n  c: 1.0.0,\n}\n",
  JSON: '{\n  "packages": {\n    "a": "1.0.0",\n    "c": { "version": "1.0.0" }\n  },\n  "linker": "hoisted"\n}\n',
  "JSON on a line": '{"packages":{"a":"1.0.0","c":{"version":"1.0.0"}}}',
  "JSON without packages": '{ "linker": "hoisted" }\n',
  "document start": "---\npackages:\n  a: 1.0.0\n",
  "reason on lines":
    "packages:\n  a:\n    version: 1.0.0\n    reason: |\n      one\n      two\n\n  c:\n    reason: >-\n      long\n      story\n    version: 1.0.0\n",
  "value below its key": 'packages:\n  a:\n    1.0.0\n  "c":\n    "1.0.0"\n',
  "lists of lines": "platforms:\n- linux-x64\n- darwin-arm64\npackages:\n  a: 1.0.0\n",
  "letters beyond ASCII": "# für Köln – 🚀\npackages:\n  a: { version: 1.0.0, reason: 'für “alle” 🚀' }\n",
};

const tokens = [
  "packages",
  "linker",
  "gc",
  "a",
  "@acme/b",
  "lodash",
  "version",
  "enabled",
  "isolated",
  "1.10",
  "1.0.0",
  "npm:a@1.0.0",
  "true",
  "null",
  "~",
  ": ",
  ":",
  "\n",
  "\r\n",
  "\n  ",
  "\n    ",
  "\n- ",
  " ",
  "  ",
  "\t",
  "{",
  "}",
  "[",
  "]",
  ", ",
  ",",
  '"',
  "'",
  "# c",
  " #",
  "&x ",
  "*x",
  "!t ",
  "|",
  ">",
  "? ",
  "---\n",
  "...",
  "%YAML 1.1\n",
  "<<: ",
  "\u0000",
  "\ufeff",
  "\u2028",
  "é",
  "🚀",
  "\ud800",
  "-",
  "\\",
  "@",
  "`",
] as const;

/** Pieces of YAML in a random order. */
export const soup = fc.array(fc.constantFrom(...tokens), { maxLength: 40 }).map((parts) => parts.join(""));

/** A valid allowlist with a few random changes. */
export const mutated = fc
  .tuple(
    fc.constantFrom(...Object.values(samples)),
    fc.array(fc.tuple(fc.nat(), fc.nat(4), fc.constantFrom(...tokens, "")), { minLength: 1, maxLength: 3 }),
  )
  .map(([text, changes]) =>
    changes.reduce((now, [at, cut, insert]) => {
      const from = at % (now.length + 1);
      return now.slice(0, from) + insert + now.slice(from + cut);
    }, text),
  );
