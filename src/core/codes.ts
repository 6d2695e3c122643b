/**
 * Every code csp can print, with its exit status and one line that says what it means.
 * Codes are public: none is renamed or reused. Warnings start with `CSP_WARN_` and never end a command.
 */
interface CodeEntry {
  exit: number;
  /** What happened, in general terms. */
  meaning: string;
}

const table = {
  // 2: usage, configuration, allowlist
  CSP_USAGE: { exit: 2, meaning: "the command line is not one csp understands" },
  CSP_CONFIG: { exit: 2, meaning: "a configuration value cannot be used" },
  CSP_ALLOWLIST_MISSING: { exit: 2, meaning: "there is no script-packages.yaml here" },
  CSP_ALLOWLIST_INVALID: { exit: 2, meaning: "script-packages.yaml says something csp refuses to guess about" },
  CSP_ALLOWLIST_EXISTS: { exit: 2, meaning: "script-packages.yaml is already there and is never overwritten" },
  CSP_NAME_INVALID: { exit: 2, meaning: "a package name or version that no registry package can have" },
  CSP_NOT_ALLOWLISTED: { exit: 2, meaning: "a package that the allowlist does not name" },
  CSP_NPMRC_INVALID: { exit: 2, meaning: "the npm configuration cannot be used as it stands" },
  CSP_BUN_MISSING: { exit: 2, meaning: "no bun to run was found" },
  CSP_SCRIPT_MISSING: { exit: 2, meaning: "the script to run does not exist" },
  CSP_NODE_MISSING: { exit: 2, meaning: "no Node to run the script with was found" },
  CSP_CHANGED_MEANWHILE: { exit: 75, meaning: "a project file was changed by somebody else while csp worked on it" },

  // resolution
  CSP_RESOLVE_FAILED: { exit: 2, meaning: "bun found no set of versions for the allowlist" },
  CSP_RESOLVE_TIMEOUT: { exit: 75, meaning: "the resolution took longer than its limit" },
  CSP_SOURCE_REFUSED: { exit: 5, meaning: "a dependency comes from git, a folder or a bare URL instead of a registry" },

  // lockfile
  CSP_LOCKFILE_MISSING: { exit: 3, meaning: "there is no lockfile, and this mode may not write one" },
  CSP_LOCKFILE_OUTDATED: { exit: 3, meaning: "the lockfile does not match the allowlist" },
  CSP_LOCKFILE_INVALID: { exit: 2, meaning: "the lockfile is damaged or not one csp wrote" },
  CSP_LOCKFILE_NEWER: { exit: 2, meaning: "the lockfile was written by a newer csp or bun" },
  CSP_LOCKFILE_INTEGRITY: { exit: 4, meaning: "the lockfile names a package without a strong hash" },
  CSP_LOCKFILE_FOREIGN_TARBALL: {
    exit: 5,
    meaning: "the lockfile points at a tarball outside the configured registry",
  },

  // bytes
  CSP_INTEGRITY: { exit: 4, meaning: "the bytes that arrived are not the bytes that were locked" },
  CSP_TARBALL_INVALID: { exit: 4, meaning: "a package archive is damaged or hostile" },

  // policy
  CSP_SIZE_CAP: { exit: 5, meaning: "the packages together are larger than `sizeCap.block` allows" },
  CSP_TOO_YOUNG: { exit: 5, meaning: "a version is younger than `minimumReleaseAge`" },
  CSP_PLATFORM: { exit: 5, meaning: "a required package does not run on this host's platform" },

  // host
  CSP_NOT_INSTALLED: { exit: 6, meaning: "this host has no current tree" },
  CSP_NOT_READY: { exit: 6, meaning: "this host's tree is not the one that is wanted" },
  CSP_TREE_UNKNOWN: { exit: 2, meaning: "no tree on this host has that hash" },
  CSP_TREE_AMBIGUOUS: { exit: 2, meaning: "more than one hash begins with those characters" },
  CSP_TREE_INCOMPLETE: { exit: 6, meaning: "a tree on this host lacks something that scripts would need" },
  CSP_NO_EARLIER_TREE: { exit: 6, meaning: "the journal knows no tree that far back" },
  CSP_JOURNAL_DAMAGED: { exit: 4, meaning: "entries of this host's journal are missing or spoiled" },
  CSP_PIN_UNREADABLE: { exit: 4, meaning: "something among the pins is no pin that csp can read" },
  CSP_GC_UNSURE: { exit: 4, meaning: "what must be kept cannot be told, so nothing was removed" },
  CSP_GC_PARTIAL: { exit: 75, meaning: "some of what is not needed could not be removed; the rest was" },
  CSP_BIN_MISSING: { exit: 6, meaning: "no allowlisted package in the current tree has that binary" },

  // stores
  CSP_STORE_ADDRESS: { exit: 2, meaning: "that is no address of a store, or one csp refuses to use" },
  CSP_STORE_NONE: { exit: 2, meaning: "no store is configured" },
  CSP_STORE_EMPTY: { exit: 2, meaning: "nothing was published to the store yet" },
  CSP_STORE_MOVED: { exit: 2, meaning: "the store was moved to another address" },
  CSP_STORE_OLDER: { exit: 5, meaning: "the store shows an older state than this host has seen" },
  CSP_CHANNEL_UNKNOWN: { exit: 2, meaning: "the store has no channel of that name" },
  CSP_RELEASE_UNKNOWN: { exit: 2, meaning: "the store has no such release, or more than one" },
  CSP_PUBLISH_REVOKED: { exit: 75, meaning: "a collection took a publication for abandoned and revoked it" },
  CSP_STORE_SETTINGS: { exit: 2, meaning: "credentials or settings for reaching the store are missing or unusable" },
  CSP_MIGRATE_TARGET: { exit: 2, meaning: "the place to migrate to holds something else" },
  CSP_STORE_FULL: { exit: 75, meaning: "the store's root has as many entries as it can hold" },
  CSP_STORE_DENIED: { exit: 2, meaning: "the store refused the credentials, or what they may do" },
  CSP_STORE_READ_ONLY: { exit: 2, meaning: "the store can only be read" },
  CSP_STORE_MISSING: { exit: 4, meaning: "the store lacks an object that is referred to" },
  CSP_STORE_CORRUPT: { exit: 4, meaning: "the store has other bytes than it promised" },
  CSP_STORE_INVALID: { exit: 4, meaning: "the store's root or a release in it cannot be read" },
  CSP_BUNDLE_INVALID: { exit: 4, meaning: "a file is not a whole bundle" },
  CSP_STORE_NEWER: { exit: 2, meaning: "the store was written by a newer csp" },
  CSP_STORE_UNREACHABLE: { exit: 75, meaning: "the store does not answer" },
  CSP_STORE_ANSWER: { exit: 75, meaning: "the store answered something that is not what was asked for" },
  CSP_STORE_BUSY: { exit: 75, meaning: "others changed the store again and again meanwhile" },
  CSP_LISTEN: { exit: 2, meaning: "the server cannot listen at that address" },

  // 75: temporary
  CSP_OFFLINE: { exit: 75, meaning: "bytes are missing here and `--offline` forbids fetching them" },
  CSP_REGISTRY_UNREACHABLE: { exit: 75, meaning: "the registry does not answer" },
  CSP_REGISTRY_AUTH: { exit: 2, meaning: "the registry refused the credentials" },
  CSP_REGISTRY_NOT_FOUND: { exit: 2, meaning: "the registry does not have that package or version" },
  CSP_REGISTRY_ANSWER: { exit: 75, meaning: "the registry answered something that is not what was asked for" },
  CSP_LOCK_TIMEOUT: { exit: 75, meaning: "another csp holds the lock for longer than was allowed" },
  CSP_LOCKS_UNSUPPORTED: { exit: 2, meaning: "the file system does not support kernel locks" },
  CSP_DISK_FULL: { exit: 75, meaning: "the disk or the quota is full, or would be" },
  CSP_READ_ONLY: { exit: 75, meaning: "the file system or directory cannot be written" },
  CSP_IO: { exit: 75, meaning: "the operating system failed a file operation" },
  CSP_TIMEOUT: { exit: 75, meaning: "a time limit that the user set has passed" },

  // warnings
  CSP_WARN_SIZE_CAP: { exit: 0, meaning: "the packages together are larger than `sizeCap.warn`" },
  CSP_WARN_INSTALL_SCRIPTS: { exit: 0, meaning: "packages have install scripts, which csp never runs" },
  CSP_WARN_TARBALL_LINK: { exit: 0, meaning: "a package archive holds links, which are left out as npm does" },
  CSP_WARN_DEPRECATED: { exit: 0, meaning: "a version is marked as deprecated by its authors" },
  CSP_WARN_RESOLVER: { exit: 0, meaning: "bun remarked something while resolving" },
  CSP_WARN_NPMRC: { exit: 0, meaning: "a part of the npm configuration was ignored" },
  CSP_WARN_HELD: { exit: 0, meaning: "a tree was installed that a rollback had put on hold" },
  CSP_WARN_JOURNAL: { exit: 0, meaning: "a line of this host's journal cannot be read and is left out" },
  CSP_WARN_STORE: { exit: 0, meaning: "a store could not be used, and csp went on without it" },
  CSP_WARN_STORE_MOVED: { exit: 0, meaning: "the store was moved, and its new address was used" },
  CSP_WARN_STORE_WRITERS: { exit: 0, meaning: "the store cannot keep several writers apart; one must be ensured" },
  CSP_WARN_GC_AUTO: { exit: 0, meaning: "a switch is done, but collecting after it (`gc.auto`) failed in part" },
  CSP_WARN_SERVE: {
    exit: 0,
    meaning: "a server is reachable from other machines with less protection than it could have",
  },
  CSP_WARN_GC_SIZE: { exit: 0, meaning: "what must be kept is larger than `--max-size`" },
} as const satisfies Record<string, CodeEntry>;

export type Code = keyof typeof table;

export const codes: Readonly<Record<Code, CodeEntry>> = table;
