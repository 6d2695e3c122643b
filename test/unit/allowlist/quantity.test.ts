import { expect, test } from "bun:test";
import fc from "fast-check";
import { formatDuration, formatSize, parseDuration, parseSize } from "../../../src/core/quantity.ts";

test.each([
  ["3d", 259_200_000],
  ["36h", 129_600_000],
  ["90s", 90_000],
  ["5m", 300_000],
  ["250ms", 250],
  ["2w", 1_209_600_000],
  ["1.5h", 5_400_000],
  ["0h", 0],
  ["1 h", 3_600_000],
])("the duration %s is %d ms", (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

test.each([
  ["150MB", 150_000_000],
  ["300MiB", 314_572_800],
  ["1.5GB", 1_500_000_000],
  ["10kB", 10_000],
  ["10KB", 10_000],
  ["1 TiB", 1_099_511_627_776],
  ["0B", 0],
])("the size %s is %d bytes", (text, bytes) => {
  expect(parseSize(text)).toBe(bytes);
});

const neither = [
  "",
  "3",
  "0",
  "d",
  "-3d",
  "3dd",
  "3 apples",
  "3d ",
  " 3d",
  "3  d",
  "3D",
  "1e3s",
  "٣d",
  "999999999999999w",
  "3constructor",
];
test.each(neither)("%p is not a duration", (text) => {
  expect(parseDuration(text)).toBeUndefined();
});
test.each([...neither, "150", "150Mb", "150mb", "150M", "1.5.5MB", "999999999999999TB"])("%p is not a size", (text) => {
  expect(parseSize(text)).toBeUndefined();
});

test("a formatted duration reads back as the same", () => {
  fc.assert(
    fc.property(fc.nat(10 ** 12), (ms) => {
      expect(parseDuration(formatDuration(ms))).toBe(ms);
    }),
  );
});

test("durations and sizes are shown in the unit a person would use", () => {
  expect([259_200_000, 129_600_000, 90_000, 250, 0].map(formatDuration)).toEqual(["3d", "36h", "90s", "250ms", "0ms"]);
  expect([512, 1500, 150_000_000, 999_999, 2.5e12].map(formatSize)).toEqual([
    "512 B",
    "1.5 kB",
    "150 MB",
    "1 MB",
    "2.5 TB",
  ]);
});
