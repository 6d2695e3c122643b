import { describe, expect, test } from "bun:test";
import {
  abandonIntent,
  beginIntent,
  emptyRoot,
  extendIntent,
  isRefusal,
  type References,
  type Refusal,
} from "../../../src/core/store-protocol.ts";
import { pinRelease, promote } from "../../../src/core/store-protocol-channels.ts";
import { clearDeleted, planCollection } from "../../../src/core/store-protocol-collect.ts";
import { commitMigration, markMoved, settleCopy } from "../../../src/core/store-protocol-migrate.ts";
import { judgeRoot } from "../../../src/core/store-protocol-reader.ts";
import { judgeReleases } from "../../../src/core/store-retention.ts";
import type { StoreRoot } from "../../../src/core/store-root.ts";
import {
  blob,
  empty,
  hash,
  id,
  none,
  objectKey,
  ok,
  plan,
  publish,
  published,
  references,
} from "./store-protocol-builder.ts";

const limits = { keep: 2, grace: 100, intentLimit: 1000 };

describe("collecting", () => {
  const three = [
    { name: "2", blobs: [blob("b", "1"), blob("c")] },
    { name: "3", blobs: [blob("d")] },
  ].reduce((root, next, i) => publish({ root, ...next, at: 10 + i }), published);
  const known: References = new Map([...references, [objectKey("2"), [blob("b", "1"), blob("c")]]]);
  const facts = { limits, references: known, listed: [], at: 50 };

  test("drops what no channel counts, and its keys a grace later", () => {
    const first = plan(planCollection(three, facts));
    expect(first.dropped).toEqual([hash("1")]);
    expect(first.root.channels.get("stable")?.history.map((move) => move.release)).toEqual([hash("3"), hash("2")]);
    expect(first.doomed).toEqual([blob("a"), blob("b"), objectKey("1")]);
    expect(first.deleting).toEqual([]);
    expect(plan(planCollection(first.root, { ...facts, at: 149 })).root).toBe(first.root);
    const second = plan(planCollection(first.root, { ...facts, at: 150 }));
    expect(second.root.deleting).toEqual([blob("a"), blob("b"), objectKey("1")]);
    expect(second.root.doomed.size).toBe(0);
    const cleared = clearDeleted(second.root, [blob("a"), objectKey("1")]);
    expect(cleared.deleting).toEqual([blob("b")]);
    expect(clearDeleted(cleared, [blob("a")])).toBe(cleared);
  });

  test("keeps pinned releases and what any intent builds on", () => {
    const pinned = ok(pinRelease(three, { hash: hash("1"), at: 3, by: "bob", reason: null }));
    const judged = plan(planCollection(pinned, facts));
    expect(judged.dropped).toEqual([]);
    expect([...judged.root.releases.keys()]).toContain(hash("1"));
    expect(plan(planCollection(judged.root, facts)).root).toBe(judged.root);
    const claim = { ...none, bases: [objectKey("1")] };
    const held = ok(beginIntent(three, { id: id("4"), purpose: "publish", claim, at: 40, by: "x" }));
    const collected = plan(planCollection(held, facts));
    expect(collected.dropped).toEqual([hash("1")]);
    expect(collected.doomed).toEqual([]);
    expect(plan(planCollection(collected.root, { ...facts, at: 900 })).deleting).toEqual([]);
    const ended = ok(abandonIntent(collected.root, { id: id("4"), at: 60, references: known }));
    expect([...ended.doomed.keys()].sort()).toEqual([blob("a"), blob("b"), objectKey("1")]);
  });

  test("strikes from the doomed what a release refers to", () => {
    const wrong = { ...three, doomed: new Map([[blob("d"), 1]]) };
    const judged = plan(planCollection(wrong, { ...facts, limits: { ...limits, keep: 9 }, at: 5000 }));
    expect(judged.root.doomed.size + judged.root.deleting.length).toBe(0);
  });

  test("revokes an intent that shows no life, and counts a time in the future from now", () => {
    const claim = { ...none, fresh: [blob("e")] };
    const begun = ok(beginIntent(published, { id: id("4"), purpose: "publish", claim, at: 10, by: "x" }));
    const late = {
      ...begun,
      intents: new Map([[id("4"), { ...begun.intents.get(id("4")), at: 99_999 }]]),
    } as StoreRoot;
    const clamped = plan(planCollection(late, facts)).root;
    expect(clamped.intents.get(id("4"))?.at).toBe(50);
    expect(plan(planCollection(begun, { ...facts, at: 1009 })).revoked).toEqual([]);
    const alive = ok(extendIntent(begun, { id: id("4"), claim: none, at: 500 }));
    expect(plan(planCollection(alive, { ...facts, at: 1010 })).revoked).toEqual([]);
    const revoked = plan(planCollection(begun, { ...facts, at: 1010 }));
    expect(revoked.revoked).toEqual([id("4")]);
    expect([...revoked.root.doomed]).toEqual([[blob("e"), 1010]]);
  });

  test("orphans can never be taken back: late uploads of keys that were deleted once are among them", () => {
    const found = plan(planCollection(published, { ...facts, listed: [blob("a"), blob("e")] }));
    expect(found.orphans).toEqual([blob("e")]);
    expect(found.root.deleting).toEqual([blob("e")]);
    expect(found.root.doomed.size).toBe(0);
  });

  test("judges nothing that was not read, and nothing of a store that moved", () => {
    const unread = planCollection(three, { ...facts, references: new Map() });
    expect(unread).toEqual({ refused: "unread", objects: [objectKey("1"), objectKey("2"), objectKey("3")] });
    const moved = { ...three, moved: { to: "s3://b", at: 1, by: "x" } };
    expect(planCollection(moved, facts)).toEqual({ refused: "moved", to: "s3://b" });
  });

  test("counts distinct releases, the newest move of each, and always the present one", () => {
    const who = { at: 20, by: "x", reason: null };
    const back = ok(promote(three, { from: { release: hash("1") }, to: "stable", ...who }));
    const kept = judgeReleases(back, 2).kept;
    expect([...kept.keys()]).toEqual([hash("1"), hash("3")]);
    expect(kept.get(hash("3"))).toEqual([{ channel: "stable", back: 1 }]);
    expect([...judgeReleases(back, 0).kept.keys()]).toEqual([hash("1")]);
    expect(
      judgeReleases(back, 2)
        .channels.get("stable")
        ?.history.map((move) => move.release),
    ).toEqual([hash("1"), hash("3"), hash("1")]);
  });
});

describe("migrating", () => {
  const source = ok(
    beginIntent(published, {
      id: id("7"),
      purpose: "migrate",
      claim: { ...none, bases: [objectKey("1")] },
      at: 1,
      by: "x",
    }),
  );
  const copy = { object: objectKey("8"), size: 20, keys: [blob("a", "8"), blob("b", "8")] };
  const claim = { ...none, fresh: [...copy.keys, copy.object] };
  const begun = ok(beginIntent(emptyRoot(source.store), { id: id("7"), purpose: "migrate", claim, at: 1, by: "x" }));
  const into: References = new Map([[copy.object, copy.keys]]);
  const settled = ok(settleCopy(begun, { id: id("7"), copy, references: into }));
  const facts = { id: id("7"), source, copies: new Map([[hash("1"), copy]]), references: into, at: 5 };
  const committed = ok(commitMigration(settled, facts));
  const mark = { id: id("7"), copied: source, generation: committed.generation, to: "s3://b", at: 9, by: "x" };

  test("an intent holds a whole copy by its object alone", () => {
    expect(settled.intents.get(id("7"))).toMatchObject({ bases: [copy.object], keys: [] });
    expect(settleCopy(settled, { id: id("7"), copy, references: into })).toBe(settled);
  });

  test("a copy that is complete in the target can be settled by another intent; one that is gone cannot", () => {
    const again = ok(beginIntent(settled, { id: id("6"), purpose: "migrate", claim: none, at: 1, by: "x" }));
    expect(ok(settleCopy(again, { id: id("6"), copy, references: into })).intents.get(id("6"))?.bases).toEqual([
      copy.object,
    ]);
    const alone = ok(beginIntent(empty, { id: id("6"), purpose: "migrate", claim: none, at: 1, by: "x" }));
    expect(settleCopy(alone, { id: id("6"), copy, references: into })).toEqual({
      refused: "gone",
      keys: [copy.object, ...copy.keys],
    });
  });

  test("the target becomes what the source was, under its own keys and a higher generation", () => {
    expect(committed.channels).toEqual(source.channels);
    expect(committed.releases.get(hash("1"))).toMatchObject({ object: copy.object, size: 20, by: "ada@ci" });
    expect(committed.generation).toBeGreaterThan(source.generation);
    expect(judgeRoot(committed, { store: source.store, generation: source.generation + 1 })).toBe("newer");
  });

  test("the source is marked only where nothing was published since, and then changes no more", () => {
    const moved = ok(markMoved(source, mark));
    expect(moved.intents.size).toBe(0);
    expect(markMoved(moved, mark)).toBe(moved);
    expect(markMoved(moved, { ...mark, to: "s3://c" })).toEqual({ refused: "moved", to: "s3://b" });
    const newer = publish({ root: source, name: "2", blobs: [blob("c")] });
    expect(markMoved(newer, mark)).toEqual({ refused: "changed" });
    expect(markMoved({ ...source, generation: committed.generation }, mark)).toEqual({ refused: "behind" });
    const who = { at: 1, by: "x" };
    for (const outcome of [
      beginIntent(moved, { id: id("5"), purpose: "publish", claim: none, ...who }),
      promote(moved, { from: { channel: "stable" }, to: "canary", reason: null, ...who }),
      pinRelease(moved, { hash: hash("1"), reason: null, ...who }),
    ])
      expect(outcome).toEqual({ refused: "moved", to: "s3://b" });
  });

  test("a target that was published to, or is another store, is left alone", () => {
    const another = { ...settled, store: id("e") };
    expect(commitMigration(another, facts)).toEqual({ refused: "another-store", store: id("e") });
    const used = publish({ root: committed, name: "3", blobs: [blob("d")], at: 77 });
    expect(commitMigration(used, { ...facts, references: new Map([...into, ...references]) })).toEqual({
      refused: "diverged",
      channel: "stable",
    });
    expect(isRefusal(commitMigration(settled, { ...facts, id: id("5") }) as Refusal)).toBe(true);
  });
});

test("a host knows an older root and another store", () => {
  const seen = { store: published.store, generation: 2 };
  expect(judgeRoot(published, undefined)).toBe("first");
  expect(judgeRoot(published, seen)).toBe("same");
  expect(judgeRoot({ ...published, generation: 3 }, seen)).toBe("newer");
  expect(judgeRoot({ ...published, generation: 1 }, seen)).toBe("older");
  expect(judgeRoot({ ...published, store: id("e") }, seen)).toBe("another");
});
