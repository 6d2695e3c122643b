/** The verbs `registry` and `other`: what the two registries of a script do, and what they were asked. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gatherPackages, parsePackagePath } from "../packages.ts";
import type { TestRegistry } from "../registry.ts";
import type { Want } from "./parse.ts";
import { compareNumbers, expectThat, pathOf, regexOf, type Session, type Verb } from "./session.ts";
import type { Word } from "./words.ts";

type Part = (session: Session, registry: TestRegistry, words: readonly Word[], want: Want) => void | Promise<void>;

const parts: Readonly<Record<string, { usage: string; words: readonly [number, number]; run: Part }>> = {
  down: { usage: "down", words: [0, 0], run: (_, registry) => registry.down() },
  up: { usage: "up", words: [0, 0], run: (_, registry) => registry.up() },
  heal: { usage: "heal", words: [0, 0], run: (_, registry) => registry.heal() },
  forget: { usage: "forget", words: [0, 0], run: (_, registry) => registry.forget() },
  fault: {
    usage: "fault PATH-REGEX KIND [ARG]",
    words: [2, 3],
    run: (_, registry, [path, kind, arg]) => registry.fault(regexOf(path), kind?.text ?? "", arg?.text),
  },
  publish: {
    usage: "publish DIRECTORY (that holds NAME@VERSION/…)",
    words: [1, 1],
    run(session, registry, [word]) {
      const root = pathOf(session, word);
      const names = readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
      const files = names.map((entry) => {
        const path = join(entry.parentPath, entry.name);
        return { path: path.slice(root.length + 1), text: readFileSync(path, "utf8") };
      });
      const found = gatherPackages(files);
      if (found.length === 0) throw new Error(`no packages in ${root}`);
      registry.publish(...found);
    },
  },
  unpublish: {
    usage: "unpublish NAME@VERSION",
    words: [1, 1],
    run(_, registry, [word]) {
      const { name = "", version = "" } = parsePackagePath(word?.text ?? "") ?? {};
      registry.package(name, version);
      registry.unpublish(name, version);
    },
  },
  requests: {
    usage: "requests REGEX, requests == != < <= > >= NUMBER [REGEX] (over lines `METHOD PATH`)",
    words: [1, 3],
    run(_, registry, [first, number, pattern], want) {
      const all = registry.requests.map(({ method, path }) => `${method} ${path}`);
      const asked = `${all.map((line) => `\n  ${line}`).join("") || " nothing"}`;
      if (!/^[=!<>]=?$/.test(first?.text ?? "")) {
        if (number !== undefined) throw new Error(`usage: registry ${this.usage}`);
        const found = all.some((line) => regexOf(first).test(line));
        return expectThat(found, want, `a request matches ${first?.text}; asked was${asked}`);
      }
      const found = all.filter((line) => regexOf(pattern).test(line)).length;
      const holds = compareNumbers(found, first?.text ?? "", Number(number?.text));
      expectThat(holds, want, `${found} requests are ${first?.text} ${number?.text}; asked was${asked}`);
    },
  },
  header: {
    usage: "header REGEX (over lines `METHOD PATH name: value`)",
    words: [1, 1],
    run(_, registry, [pattern], want) {
      const lines = registry.requests.flatMap(({ method, path, headers }) =>
        Object.entries(headers).map(([name, value]) => `${method} ${path} ${name}: ${value}`),
      );
      const found = lines.filter((line) => regexOf(pattern).test(line));
      const shown = (want.kind === "success" ? lines : found).map((line) => `\n  ${line}`).join("");
      expectThat(found.length > 0, want, `a header matches ${pattern?.text}; seen were${shown || " none"}`);
    },
  },
};

const verbFor = (name: "registry" | "other"): Verb => ({
  usage: Object.values(parts)
    .map((part) => `${name} ${part.usage}`)
    .join(", "),
  words: [1, 4],
  prefixes: ["failure"],
  async run(session, [word, ...rest], want) {
    const key = word?.text ?? "";
    const part = Object.hasOwn(parts, key) ? parts[key] : undefined;
    const registry = session[name];
    if (!part || !registry) throw new Error(`usage: ${this.usage}`);
    if (rest.length < part.words[0] || rest.length > part.words[1]) throw new Error(`usage: ${name} ${part.usage}`);
    if (want.kind === "failure" && key !== "requests" && key !== "header")
      throw new Error(`no ! before ${name} ${key}`);
    await part.run(session, registry, rest, want);
  },
});

export const registryVerbs: Readonly<Record<string, Verb>> = { registry: verbFor("registry"), other: verbFor("other") };
