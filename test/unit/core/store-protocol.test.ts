import { describe, expect, test } from "bun:test";
import {
  abandonIntent,
  beginIntent,
  type Claim,
  commitPublish,
  extendIntent,
} from "../../../src/core/store-protocol.ts";
import { pinRelease, promote, unpinRelease } from "../../../src/core/store-protocol-channels.ts";
import { chooseKeys } from "../../../src/core/store-protocol-keys.ts";
import {
  blob,
  digest,
  empty,
  hash,
  id,
  none,
  objectKey,
  ok,
  publish,
  published,
  references,
  release,
} from "./store-protocol-builder.ts";

describe("publishing", () => {
  test("goes from an intent to a release and its channel, a generation each", () => {
    expect(published.generation).toBe(2);
    expect(published.channels.get("stable")?.release).toBe(hash("1"));
    expect(published.releases.get(hash("1"))?.object).toBe(objectKey("1"));
    expect(published.intents.size + published.doomed.size).toBe(0);
  });

  test("an intent that was revoked commits nothing", () => {
    const facts = { id: id("9"), hash: hash("1"), channel: "stable", reason: null, references, at: 1, by: "x" };
    expect(commitPublish(empty, { ...facts, release: release(objectKey("9")), keys: [] })).toEqual({
      refused: "revoked",
    });
    expect(extendIntent(empty, { id: id("9"), claim: none, at: 1 })).toEqual({ refused: "revoked" });
  });

  test("done twice, as after an answer that did not come, it changes nothing", () => {
    const facts = { id: id("1"), hash: hash("1"), channel: "stable", reason: null, references, at: 9, by: "x" };
    expect(commitPublish(published, { ...facts, release: release(objectKey("1")), keys: [] })).toBe(published);
    const claim = { ...none, fresh: [blob("c")] };
    const begun = ok(beginIntent(empty, { id: id("2"), purpose: "publish", claim, at: 1, by: "x" }));
    expect(beginIntent(begun, { id: id("2"), purpose: "publish", claim, at: 1, by: "x" })).toBe(begun);
    expect(abandonIntent(published, { id: id("2"), at: 1, references })).toBe(published);
  });

  test("a release that refers to what its intent does not hold is a defect", () => {
    const claim = { ...none, fresh: [objectKey("2")] };
    const begun = ok(beginIntent(published, { id: id("2"), purpose: "publish", claim, at: 1, by: "x" }));
    const facts = { id: id("2"), hash: hash("2"), channel: "stable", reason: null, references, at: 1, by: "x" };
    expect(() => commitPublish(begun, { ...facts, release: release(objectKey("2")), keys: [blob("a")] })).toThrow(
      "does not hold",
    );
  });

  test("bases must be complete, reused keys known, new ones not being deleted", () => {
    const doomed = { ...published, doomed: new Map([[blob("e"), 5]]), deleting: [blob("d")] };
    const begin = (claim: Partial<Claim>) =>
      beginIntent(doomed, { id: id("2"), purpose: "publish", claim: { ...none, ...claim }, at: 1, by: "x" });
    expect(begin({ bases: [objectKey("2")] })).toEqual({ refused: "gone", keys: [objectKey("2")] });
    expect(begin({ reused: [blob("c")] })).toEqual({ refused: "gone", keys: [blob("c")] });
    expect(begin({ reused: [blob("d")] })).toEqual({ refused: "gone", keys: [blob("d")] });
    expect(begin({ fresh: [blob("d")] })).toEqual({ refused: "gone", keys: [blob("d")] });
    const taken = ok(begin({ bases: [objectKey("1")], reused: [blob("e")], fresh: [blob("c")] }));
    expect(taken.doomed.size).toBe(0);
    expect(taken.intents.get(id("2"))?.keys).toEqual([blob("c"), blob("e")]);
  });

  test("the same lockfile for other platforms replaces the object, keeps the pin, dooms what only the old one needed", () => {
    const pinned = ok(pinRelease(published, { hash: hash("1"), at: 3, by: "bob", reason: "audit" }));
    const known = new Map(references);
    const facts = { root: pinned, name: "1", as: "5", blobs: [blob("c")], bases: [objectKey("1")], at: 7 };
    expect(() => publish(facts)).toThrow("unread");
    const again = publish({ ...facts, references: known });
    expect(again.releases.get(hash("1"))).toMatchObject({ object: objectKey("5"), pin: { reason: "audit" } });
    expect(again.doomed).toEqual(new Map([objectKey("1"), blob("a"), blob("b")].map((key) => [key, 7])));
    expect(again.channels.get("stable")?.history).toHaveLength(1);
  });

  test("what an abandoned intent held is doomed, but for what others hold", () => {
    const first = ok(
      beginIntent(published, {
        id: id("2"),
        purpose: "publish",
        claim: { ...none, fresh: [blob("c"), blob("d")] },
        at: 1,
        by: "x",
      }),
    );
    const second = ok(
      beginIntent(first, { id: id("3"), purpose: "publish", claim: { ...none, reused: [blob("d")] }, at: 1, by: "x" }),
    );
    expect(ok(abandonIntent(second, { id: id("2"), at: 4, references })).doomed).toEqual(new Map([[blob("c"), 4]]));
  });

  test("chooses from releases, then intents and the doomed, never from what is being deleted", () => {
    const begun = ok(
      beginIntent(published, {
        id: id("2"),
        purpose: "publish",
        claim: { ...none, fresh: [blob("c")] },
        at: 1,
        by: "x",
      }),
    );
    const root = { ...begun, doomed: new Map([[blob("d"), 1]]), deleting: [blob("e")] };
    const chosen = chooseKeys(root, { wanted: ["a", "c", "d", "e"].map(digest), references });
    expect(chosen.bases).toEqual([objectKey("1")]);
    expect([...chosen.stored.values()]).toEqual([blob("a")]);
    expect([...chosen.reused.values()]).toEqual([blob("c"), blob("d")]);
    expect(chosen.missing).toEqual([digest("e")]);
    expect(chooseKeys(root, { wanted: [digest("a")], references: new Map() }).missing).toEqual([digest("a")]);
  });
});

describe("channels and pins", () => {
  const two = publish({ root: published, name: "2", blobs: [blob("b"), blob("c")], channel: "canary", at: 2 });
  const who = { at: 5, by: "bob", reason: null };

  test("a channel is promoted to a release or to where another channel points, once", () => {
    const moved = ok(promote(two, { from: { channel: "canary" }, to: "stable", ...who }));
    expect(moved.channels.get("stable")?.history.map((move) => move.release)).toEqual([hash("2"), hash("1")]);
    expect(promote(moved, { from: { release: hash("2") }, to: "stable", ...who })).toBe(moved);
    expect(promote(two, { from: { release: hash("9") }, to: "stable", ...who })).toEqual({
      refused: "no-release",
      release: hash("9"),
    });
    expect(promote(two, { from: { channel: "beta" }, to: "stable", ...who })).toEqual({
      refused: "no-channel",
      channel: "beta",
    });
  });

  test("a pin comes and goes", () => {
    const pinned = ok(pinRelease(two, { hash: hash("1"), ...who }));
    expect(pinned.releases.get(hash("1"))?.pin).toEqual(who);
    expect(ok(unpinRelease(pinned, { hash: hash("1") })).releases).toEqual(two.releases);
    expect(unpinRelease(two, { hash: hash("1") })).toBe(two);
    expect(unpinRelease(two, { hash: hash("9") })).toEqual({ refused: "no-release", release: hash("9") });
  });
});
