import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { isInGrace, judgeTrees } from "../../../src/core/gc-policy.ts";
import { type JournalEntry, journalLine, lastSequence, parseJournal } from "../../../src/core/journal.ts";
import { earlierTrees, heldTrees, retirements } from "../../../src/core/journal-story.ts";
import { hashOf, hour } from "./host.ts";

const start = Date.UTC(2026, 0, 1);

/**
 * `a` installs, `>a` uses, `<a` rolls back, `!` resumes, `~` mends: one an hour. The first entry is number 1 and comes from
 * nothing.
 */
function story(...words: string[]): JournalEntry[] {
  let current: string | null = null;
  return words.map((word, i): JournalEntry => {
    const from: string | null = current;
    const letter = word.replace(/[<>]/, "");
    const kind = ({ ">": "use", "<": "rollback", "!": "resume", "~": "mended" } as const)[word[0] as "<"];
    const to: string = word === "!" || word === "~" ? (from ?? hashOf("a")) : hashOf(letter);
    current = to;
    const holds = kind === "rollback" && from !== null ? { holds: from } : {};
    return {
      seq: i + 1,
      at: new Date(start + i * hour).toISOString(),
      from,
      to,
      command: "csp",
      reason: null,
      by: "me",
      ...(kind === undefined ? {} : { kind }),
      ...holds,
    };
  });
}

const textOf = (entries: readonly JournalEntry[]): string => entries.map(journalLine).join("");
const letters = (hashes: Iterable<string>): string => [...hashes].map((hash) => hash[0]).join("");

describe("lines", () => {
  test("what is written is read again", () => {
    const entries = story("a", "b", "<a", "!", ">b");
    expect(parseJournal(textOf(entries))).toEqual({ entries, damage: undefined });
    expect(lastSequence(textOf(entries))).toBe(5);
  });

  test("a line without kind and holds, as they were first written, is a switch", () => {
    const body = `{"seq":1,"at":"2026-01-01T00:00:00.000Z","from":null,"to":"${hashOf("a")}","command":"csp install","reason":null,"by":"me"`;
    const check = new Bun.CryptoHasher("sha256").update(body).digest("hex").slice(0, 16);
    const { entries, damage } = parseJournal(`${body},"check":"${check}"}\n`);
    expect(entries).toHaveLength(1);
    expect(damage).toBeUndefined();
    expect(heldTrees(entries)).toEqual([]);
  });

  test("wherever a crash cuts the last line, the others are read and nothing counts as damaged", () => {
    const entries = story("a", "b", "c");
    const whole = textOf(entries);
    const kept = textOf(entries.slice(0, 2)).length;
    for (let length = kept; length < whole.length - 1; length++) {
      expect(parseJournal(whole.slice(0, length))).toEqual({ entries: entries.slice(0, 2), damage: undefined });
    }
  });

  test("after a torn line the next entry takes its number, and nothing is missing", () => {
    const [one, two, three] = story("a", "b", "c") as [JournalEntry, JournalEntry, JournalEntry];
    const torn = journalLine(two).slice(0, 50);
    expect(lastSequence(textOf([one]) + torn)).toBe(1);
    const text = `${journalLine(one)}${torn}\n${journalLine({ ...three, seq: 2 })}`;
    expect(parseJournal(text)).toEqual({ entries: [one, { ...three, seq: 2 }], damage: undefined });
  });

  test("a crash that tore the line after a torn line is none either", () => {
    const [one, two, three] = story("a", "b", "c") as [JournalEntry, JournalEntry, JournalEntry];
    const text = `${journalLine(one)}${journalLine(two).slice(0, 50)}\n${journalLine(three).slice(0, 90)}`;
    expect(parseJournal(text)).toEqual({ entries: [one], damage: undefined });
  });

  test("zeros where a power cut lost the data are a torn line", () => {
    const [one, two] = story("a", "b") as [JournalEntry, JournalEntry];
    expect(parseJournal(journalLine(one) + "\0".repeat(200)).damage).toBeUndefined();
    const text = `${journalLine(one)}${"\0".repeat(200)}\n${journalLine(two)}`;
    expect(parseJournal(text)).toEqual({ entries: [one, two], damage: undefined });
  });

  test("any flipped bit of a whole line is damage, or leaves every entry as it was", () => {
    const entries = story("a", "b", "<a", "c");
    const bytes = Buffer.from(textOf(entries));
    for (let bit = 0; bit < bytes.length * 8; bit += 5) {
      const spoiled = Buffer.from(bytes);
      spoiled[bit >> 3] = (spoiled[bit >> 3] as number) ^ (1 << (bit & 7));
      const journal = parseJournal(spoiled.toString("utf8"));
      if (journal.damage === undefined) expect(journal.entries.length).toBe(lostOnlyNewline(spoiled) ? 3 : 4);
      else expect(journal.entries.length).toBeLessThan(4);
    }
  });

  test("a removed line is damage, until a later entry takes note of it", () => {
    const entries = story("a", "b", "c", "~", "d");
    expect(parseJournal(textOf([...entries.slice(0, 1), ...entries.slice(2, 3)])).damage).toEqual({
      line: 2,
      why: "entry 2 is missing before entry 3",
    });
    expect(parseJournal(textOf([...entries.slice(0, 1), ...entries.slice(2)])).damage).toBeUndefined();
  });
});

/** Without its newline the last line cannot be told from a torn one. */
function lostOnlyNewline(bytes: Buffer): boolean {
  return bytes.at(-1) !== 0x0a;
}

describe("where rollbacks lead", () => {
  const cases: readonly [words: string, earlier: string][] = [
    ["a", ""],
    ["a b", "a"],
    ["a b c", "ba"],
    ["a b a b", "a"],
    ["a b c <b", "a"],
    ["a b c <b <a", ""],
    ["a b c <a", ""],
    ["a b c <b d", "ba"],
    ["a b c >a", "cb"],
    ["a b c >a !", "cb"],
    ["a b <a b", "a"],
    ["a b a b <a", ""],
    ["a b a b <a !", "b"],
  ];
  for (const [words, earlier] of cases) {
    test(`${words}: ${earlier || "nowhere"}`, () => {
      const entries = story(...words.split(" "));
      expect(letters(earlierTrees(entries, entries.at(-1)?.to))).toBe(earlier);
    });
  }

  test("a switch that a crash cut off did not happen", () => {
    expect(letters(earlierTrees(story("a", "b", "c"), hashOf("b")))).toBe("a");
    expect(letters(earlierTrees(story("a", "b", "<a"), hashOf("b")))).toBe("a");
  });
});

describe("holds", () => {
  const cases: readonly [words: string, held: string][] = [
    ["a b", ""],
    ["a b <a", "b"],
    ["a b c <b <a", "cb"],
    ["a b <a !", ""],
    ["a b <a >b", ""],
    ["a b c <b >a", "c"],
    ["a b <a c", ""],
    ["a b <a b", ""],
    ["a b <a ~", "b"],
  ];
  for (const [words, held] of cases) {
    test(`${words}: ${held || "none"}`, () => {
      expect(letters(heldTrees(story(...words.split(" "))).map(({ hash }) => hash))).toBe(held);
    });
  }

  test("say since when, by whom and why", () => {
    const [a, b, back] = story("a", "b", "<a") as [JournalEntry, JournalEntry, JournalEntry];
    expect(heldTrees([a, b, { ...back, reason: "slow" }])).toEqual([
      { hash: hashOf("b"), since: back.at, by: "me", reason: "slow" },
    ]);
  });
});

describe("retirement", () => {
  const hours = (words: string, current: string): Record<string, number> => {
    const times = retirements(parseJournal(textOf(story(...words.split(" ")))), hashOf(current));
    return Object.fromEntries([...times].map(([hash, time]) => [hash[0], (time - start) / hour]));
  };

  test("is the time of the switch that left the tree last", () => {
    expect(hours("a b c", "c")).toEqual({ a: 1, b: 2 });
    expect(hours("a b a c", "c")).toEqual({ a: 3, b: 2 });
    expect(hours("a b <a", "a")).toEqual({ b: 2 });
  });

  test("of a tree that a crash kept from becoming current is when that was tried", () => {
    expect(hours("a b", "a")).toEqual({ b: 1 });
  });

  test("is not known where the journal does not lead to the current tree", () => {
    expect(hours("a b", "z")).toEqual({ a: 1 });
  });

  test("counts from where damage was noted", () => {
    expect(hours("a b c ~ d", "d")).toEqual({ a: 3, b: 3, c: 4 });
  });
});

describe("the verdict on trees", () => {
  const hash = fc.constantFrom(..."abcdefgh").map(hashOf);
  const facts = fc.record({
    present: fc.uniqueArray(hash),
    current: fc.option(hash, { nil: undefined }),
    earlier: fc.uniqueArray(hash),
    pins: fc.uniqueArray(hash).map((list) => new Map(list.map((each) => [each, "pinned"]))),
    running: fc.uniqueArray(hash).map((list) => new Map(list.map((each) => [each, "in use"]))),
    retired: fc.array(fc.tuple(hash, fc.integer({ min: -1000, max: 1000 }))).map((list) => new Map(list)),
  });
  const limits = fc.record({ keepPrevious: fc.nat(4), treeGrace: fc.nat(500), blobGrace: fc.nat(500) });

  test("never lets go of a root, and lets go of all else", () => {
    fc.assert(
      fc.property(facts, limits, fc.integer({ min: -1000, max: 1000 }), (known, limit, now) => {
        const earlier = known.earlier.filter((each) => known.present.includes(each)).slice(0, limit.keepPrevious);
        for (const { hash: each, keeps } of judgeTrees(known, limit, now)) {
          const since = known.retired.get(each) ?? now;
          const isRoot =
            each === known.current ||
            earlier.includes(each) ||
            known.pins.has(each) ||
            known.running.has(each) ||
            isInGrace(since, limit.treeGrace, now);
          expect(keeps.length > 0).toBe(isRoot);
        }
      }),
    );
  });
});
