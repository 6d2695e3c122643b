/** How a verification and a repair are told to people and to programs. */
import { formatSize } from "../core/quantity.ts";
import type { RepairOutcome, Restored } from "../ops/verify/repair.ts";
import { type Hopeless, isWorthReplacing, type RepairPlan, type RepairStep } from "../ops/verify/repair-plan.ts";
import type { Verification } from "../ops/verify.ts";
import { type Finding, type FindingKind, isDamage } from "../tree/finding.ts";
import type { Paint } from "./paint.ts";
import { counted } from "./summary.ts";

/** Findings shown without `--verbose`. */
const shownFindings = 20;

const words: Readonly<Record<FindingKind, string>> = {
  corrupt: "corrupt",
  missing: "missing",
  unchecked: "cannot be checked",
};

/** One line a finding; damage first. */
export function findingLines({ findings, remarks }: Verification, paint: Paint, all: boolean): string[] {
  const sorted = [...findings].sort((a, b) => Number(a.kind === "unchecked") - Number(b.kind === "unchecked"));
  const shown = all ? sorted : sorted.slice(0, shownFindings);
  const rest = sorted.length - shown.length;
  return [
    ...shown.map((finding) => findingLine(finding, paint)),
    ...(rest > 0 ? [paint.dim(`and ${rest} more, which \`--verbose\` shows`)] : []),
    ...(all ? remarks.map((remark) => paint.dim(`remark: ${remark}`)) : []),
  ];
}

function findingLine({ kind, path, message }: Finding, paint: Paint): string {
  const colour = kind === "unchecked" ? paint.yellow : paint.red;
  return `${colour(words[kind])}: ${path} ${message}`;
}

/** The result in one line. */
export function summaryLine(
  { result, findings, checked, deep }: Verification,
  paint: Paint,
  outcome?: RepairOutcome,
  before?: Verification,
): string {
  const counts = (Object.keys(words) as FindingKind[]).flatMap((kind) => {
    const count = findings.filter((finding) => finding.kind === kind).length;
    return count === 0 ? [] : [`${count} ${words[kind]}`];
  });
  const facts = [
    deep ? counted(checked.trees, "tree") : "the current tree",
    counted(checked.packages, "package"),
    counted(checked.files, "file"),
    `${formatSize(checked.bytes)} compared`,
  ].join(", ");
  const repaired = outcome !== undefined && before !== undefined && before.result !== "sound";
  const counted_ = repaired ? `${outcome.restored.length} restored, ${outcome.failed.length} not; ` : "";
  if (result === "sound") return `${paint.green(repaired ? "repaired" : "sound")}: ${counted_}${facts}`;
  const title = result === "damaged" ? paint.red("damaged") : paint.yellow("not all could be checked");
  return `${title}: ${counted_}${counts.join(", ")} (${facts})`;
}

/** What to do next. */
export function helpLines({ result, findings, deep }: Verification, paint: Paint): string[] {
  if (result === "sound") return [];
  const repairs = findings.some((finding) => isDamage(finding) || isWorthReplacing(finding));
  const next = repairs
    ? `run \`csp verify --repair${deep ? " --deep" : ""}\``
    : "run it as a user who may read everything, and look for disk errors with `dmesg`";
  return [`${paint.cyan("help:")} ${next}`];
}

const verbs: Readonly<Record<RepairStep["action"], readonly [plan: string, past: string]>> = {
  fetch: ["fetch", "fetched"],
  rebuild: ["rebuild", "rebuilt"],
  "set-aside": ["set aside", "set aside"],
  create: ["create", "created"],
  adjust: ["adjust the mode of", "adjusted the mode of"],
  point: ["point to a tree that is here:", "pointed to a tree that is here:"],
  note: ["note the damage in", "noted the damage in"],
};

const sources: Readonly<Record<string, string>> = {
  cache: " from the cache",
  registry: " from the registry",
  lockfile: " from its lockfile",
  journal: " by the journal",
};

function nameOf({ thing, label }: RepairStep | Hopeless): string {
  return thing.type === "current" || thing.type === "journal" ? `\`${label}\`` : `${thing.type} ${label}`;
}

/** What a repair would do. */
export function planLines(plan: RepairPlan, paint: Paint): string[] {
  return [
    ...plan.steps.map((step) => {
      return `${paint.yellow("would")} ${verbs[step.action][0]} ${nameOf(step)}${sources[step.from ?? ""] ?? ""}`;
    }),
    ...plan.hopeless.map((each) => `${paint.red("cannot restore")} ${nameOf(each)}: ${each.why}`),
  ];
}

/** What a repair did, what it could not do, and what else is left. */
export function repairLines(outcome: RepairOutcome, after: Verification, paint: Paint, all: boolean): string[] {
  return [
    ...outcome.restored.map((step) => restoredLine(step, paint)),
    ...outcome.failed.map((each) => `${paint.red("not restored")} ${nameOf(each)}: ${each.why}`),
    ...findingLines(after, paint, all),
  ];
}

function restoredLine(step: Restored, paint: Paint): string {
  const aside = step.quarantine === null ? "" : `; the damaged one is \`${step.quarantine}\``;
  return `${paint.green(verbs[step.action][1])} ${nameOf(step)}${sources[step.from ?? ""] ?? ""}${aside}`;
}

/** The `data` of a verification, with what a repair did or would do. */
export function verifyData(
  verification: Verification,
  repair?: { restored: readonly RepairStep[]; failed: readonly Hopeless[]; planned: boolean },
  before?: Verification,
): object {
  return {
    ...verification,
    ...(before === undefined ? {} : { before: before.findings }),
    repair: repair ?? null,
  };
}
