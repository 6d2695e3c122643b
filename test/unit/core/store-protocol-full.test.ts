/** A root has bounds, and a transition that would go beyond is refused or leaves the rest for later. */
import { expect, test } from "bun:test";
import { type StoreKey, storeKey } from "../../../src/core/store-key.ts";
import { beginIntent, commitPublish, doom, extendIntent } from "../../../src/core/store-protocol.ts";
import { promote } from "../../../src/core/store-protocol-channels.ts";
import { planCollection } from "../../../src/core/store-protocol-collect.ts";
import { type Channel, type Intent, rootLimits } from "../../../src/core/store-root.ts";
import {
  blob,
  digest,
  hash,
  id,
  none,
  objectKey,
  ok,
  plan,
  published,
  references,
  release,
} from "./store-protocol-builder.ts";

const who = { at: 1, by: "ada@ci" };
const begin = { id: id("2"), purpose: "publish", claim: none, ...who } as const;
const number = (value: number, length: number): string => value.toString(16).padStart(length, "0");
const many = (count: number): StoreKey[] =>
  Array.from({ length: count }, (_, i) => storeKey({ kind: "blobs", digest: digest("c"), nonce: number(i, 32) }));

test("intents", () => {
  const intent: Intent = { purpose: "publish", bases: [], keys: [], ...who };
  const intents = new Map(Array.from({ length: rootLimits.intents }, (_, i) => [number(i, 32), intent]));
  expect(beginIntent({ ...published, intents }, begin)).toEqual({ refused: "full", what: "intents" });
  intents.delete(number(0, 32));
  ok(beginIntent({ ...published, intents }, begin));
});

test("keys of an intent", () => {
  const begun = ok(beginIntent(published, { ...begin, claim: { ...none, fresh: [blob("d")] } }));
  const claim = { ...none, fresh: many(rootLimits.keys) };
  expect(extendIntent(begun, { id: id("2"), claim, at: 1 })).toEqual({ refused: "full", what: "keys" });
});

test("channels", () => {
  const channel = published.channels.get("stable") as Channel;
  const channels = new Map(Array.from({ length: rootLimits.channels - 1 }, (_, i) => [`channel${i}`, channel]));
  const full = { ...published, channels: channels.set("stable", channel) };
  const move = { from: { channel: "stable" }, reason: null, ...who };
  expect(promote(full, { ...move, to: "another" })).toEqual({ refused: "full", what: "channels" });
  expect(promote(full, { ...move, to: "channel0" })).toBe(full);
  const begun = ok(beginIntent(full, { ...begin, claim: { ...none, fresh: [objectKey("2")] } }));
  const facts = { id: id("2"), hash: hash("2"), reason: null, references, keys: [], ...who };
  expect(commitPublish(begun, { ...facts, release: release(objectKey("2")), channel: "another" })).toEqual({
    refused: "full",
    what: "channels",
  });
});

test("releases: of a new hash, not of one that is replaced", () => {
  const releases = new Map(published.releases);
  for (let i = 1; i < rootLimits.releases; i++) {
    const object = storeKey({ kind: "releases", digest: digest("e"), nonce: number(i, 32) });
    releases.set(number(i, 64), release(object));
  }
  const claim = { ...none, fresh: [objectKey("2")] };
  const begun = ok(beginIntent({ ...published, releases }, { ...begin, claim }));
  const facts = { id: id("2"), release: release(objectKey("2")), channel: "stable", reason: null, keys: [], ...who };
  expect(commitPublish(begun, { ...facts, hash: hash("2"), references })).toEqual({
    refused: "full",
    what: "releases",
  });
  ok(commitPublish(begun, { ...facts, hash: hash("1"), references }));
});

test("moves of a channel: the oldest are forgotten", () => {
  const { release: to, history } = published.channels.get("stable") as Channel;
  const [move] = history;
  if (move === undefined) throw new Error("a channel without a move");
  const stable: Channel = {
    release: to,
    history: Array.from({ length: rootLimits.history }, (_, at) => ({ ...move, at })),
  };
  const releases = new Map(published.releases).set(hash("2"), release(objectKey("2")));
  const full = { ...published, releases, channels: new Map([["stable", stable]]) };
  const moved = ok(promote(full, { from: { release: hash("2") }, to: "stable", reason: null, ...who }));
  expect(moved.channels.get("stable")?.history).toHaveLength(rootLimits.history);
  expect(moved.channels.get("stable")?.history[0]?.release).toBe(hash("2"));
});

test("the doomed, and those being deleted: what does not fit waits for the next collection", () => {
  const doomed = new Map(many(rootLimits.keys).map((key) => [key, 1] as const));
  expect(doom({ ...published, doomed }, published, [blob("d")], 1).size).toBe(rootLimits.keys);

  const deleting = many(rootLimits.keys - 1);
  const late = [blob("d"), blob("e")];
  const root = { ...published, deleting, doomed: new Map(late.map((key) => [key, 1] as const)) };
  const limits = { keep: 10, grace: 5, intentLimit: 5 };
  const planned = plan(planCollection(root, { limits, references, listed: [blob("3")], at: 10 }));
  expect(planned.deleting).toEqual([blob("d")]);
  expect([...planned.root.doomed]).toEqual([[blob("e"), 1]]);
  expect(planned.root.deleting).toHaveLength(rootLimits.keys);
});
