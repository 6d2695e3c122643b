/** Durations and sizes as people write them: a number with its unit, never a bare number. */

const second = 1000;
const durationUnits: Readonly<Record<string, number>> = {
  ms: 1,
  s: second,
  m: 60 * second,
  h: 3600 * second,
  d: 86_400 * second,
  w: 7 * 86_400 * second,
};
const sizeUnits: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1e3,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

/** What a duration looks like, for messages. */
export const durationForm = "a number and a unit (s, m, h, d or w), such as `36h`";
/** What a size looks like, for messages. */
export const sizeForm = "a number and a unit (kB, MB, GB, KiB, MiB or GiB), such as `150MB`";

/** `36h`, `3d`, `1.5h` in whole milliseconds; undefined where the unit is missing or unknown, or the number is absurd. */
export function parseDuration(text: string): number | undefined {
  return parseQuantity(text, durationUnits);
}

/** `150MB` (10^6), `300MiB` (2^20) in whole bytes; undefined where the unit is missing or unknown, or the number is absurd. */
export function parseSize(text: string): number | undefined {
  return parseQuantity(text, sizeUnits);
}

/** Milliseconds in the largest unit that needs no fraction: `36h`, `3d`, `90s`; `parseDuration` reads it back. */
export function formatDuration(ms: number): string {
  for (const unit of ["d", "h", "m", "s"]) {
    const scale = durationUnits[unit] ?? 1;
    if (ms >= scale && ms % scale === 0) return `${ms / scale}${unit}`;
  }
  return `${ms}ms`;
}

/** Milliseconds for a reader, in the largest unit of which there are two or more: `5h`, `40d`. */
export function formatAge(ms: number): string {
  const unit = ["d", "h", "m"].find((each) => ms >= 2 * (durationUnits[each] ?? 1)) ?? "s";
  return `${Math.floor(ms / (durationUnits[unit] ?? 1))}${unit}`;
}

/** Bytes for a reader, in decimal units with at most one decimal: `512 B`, `1.5 kB`, `150 MB`. */
export function formatSize(bytes: number): string {
  let value = bytes;
  let unit = "B";
  for (const next of ["kB", "MB", "GB", "TB"]) {
    // 999,950 would be rounded to "1000.0 kB".
    if (value < (unit === "B" ? 1000 : 999.95)) break;
    value /= 1000;
    unit = next;
  }
  return `${unit === "B" ? value : Math.round(value * 10) / 10} ${unit}`;
}

function parseQuantity(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const match = /^([0-9]{1,15}(?:\.[0-9]{1,6})?) ?([A-Za-z]{1,3})$/.exec(text);
  const unit = match?.[2];
  if (!match?.[1] || !unit || !Object.hasOwn(units, unit)) return undefined;
  const value = Math.round(Number(match[1]) * (units[unit] ?? 0));
  return Number.isSafeInteger(value) ? value : undefined;
}
