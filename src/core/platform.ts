/** What a host can run, in the words of package.json: os, cpu, libc. */
export interface Platform {
  /** `linux`, `darwin`, `win32`, … as `process.platform` says it. */
  os: string;
  /** `x64`, `arm64`, … as `process.arch` says it. */
  cpu: string;
  /** Only meaningful on linux. */
  libc: "glibc" | "musl" | undefined;
}

/** A package's own limits; an absent list means no limit. `!x` excludes x; bun writes `none` for what it does not know. */
export interface PlatformLimits {
  os: readonly string[];
  cpu: readonly string[];
  libc: readonly string[];
}

/** `linux-x64`, `linux-arm64-musl`, `darwin-arm64`: the spelling of the allowlist's `platforms`. */
export function platformName(platform: Platform): string {
  return `${platform.os}-${platform.cpu}${platform.libc === "musl" ? "-musl" : ""}`;
}

/** Reads the spelling of `platformName`; undefined where it is not one. */
export function parsePlatform(text: string): Platform | undefined {
  const match = /^([a-z][a-z0-9]*)-([a-z][a-z0-9]*)(-musl)?$/.exec(text);
  if (!match?.[1] || !match[2]) return undefined;
  const linux = match[1] === "linux";
  if (match[3] && !linux) return undefined;
  return { os: match[1], cpu: match[2], libc: linux ? (match[3] ? "musl" : "glibc") : undefined };
}

/** True where a package with these limits runs on the platform. */
export function fits(limits: PlatformLimits, platform: Platform): boolean {
  return (
    admits(limits.os, platform.os) &&
    admits(limits.cpu, platform.cpu) &&
    (limits.libc.length === 0 || (platform.libc !== undefined && admits(limits.libc, platform.libc)))
  );
}

function admits(list: readonly string[], value: string): boolean {
  if (list.length === 0) return true;
  let positive = false;
  let named = false;
  for (const entry of list) {
    if (entry.startsWith("!")) {
      if (entry.slice(1) === value) return false;
    } else {
      positive = true;
      if (entry === value || entry === "any") named = true;
    }
  }
  return !positive || named;
}
