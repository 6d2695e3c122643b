/** `csp verify --store`: how the verification of a store is asked for and told. */
import { formatSize } from "../core/quantity.ts";
import { short } from "../ops/current-tree.ts";
import { registrySource } from "../ops/source.ts";
import { repairStore, type StoreRepair } from "../ops/store-repair.ts";
import { type StoreFinding, type StoreVerification, verifyStore } from "../ops/store-verify.ts";
import { openEach, readSettings } from "../ops/stores.ts";
import type { Report, Session } from "./command.ts";
import type { Paint } from "./paint.ts";
import { counted, formatTook } from "./summary.ts";

/** Findings shown without `--verbose`. */
const shownFindings = 20;

/** Verifies the store that is written, and with `repair` puts back what can be had. */
export async function checkStore(session: Session, repair: boolean, dryRun: boolean): Promise<Report> {
  const started = performance.now();
  const ctx = session.context();
  const settings = readSettings(ctx);
  const [store, ...others] = await openEach(ctx, settings?.stores ?? []);
  try {
    const registry = registrySource(ctx, settings ?? { registry: { scopes: new Map() } });
    const repaired = repair && !dryRun ? await repairStore(ctx, store, { others, registry }) : undefined;
    const found = repaired?.after ?? (await verifyStore(ctx, store));
    const lines = [
      ...findingLines(found, session),
      ...(repaired?.failed.map(({ message }) => `${session.paint.red("not restored")}: ${message}`) ?? []),
      `${summaryLine(found, repaired, session.paint)} ${session.paint.dim(formatTook(performance.now() - started))}`,
      ...(found.result === "damaged" && !repair
        ? [`${session.paint.cyan("help:")} run \`csp verify --store --repair\``]
        : []),
    ];
    const exit = found.result === "sound" ? 0 : found.result === "damaged" ? 4 : 75;
    return { lines, data: data(store.address, found, repaired), exit };
  } finally {
    await Promise.all([store, ...others].map((each) => each.close()));
  }
}

function findingLines({ findings }: StoreVerification, { paint, verbose }: Session): string[] {
  const shown = verbose > 0 ? findings : findings.slice(0, shownFindings);
  const rest = findings.length - shown.length;
  return [
    ...shown.map((finding) => findingLine(finding, paint)),
    ...(rest > 0 ? [paint.dim(`and ${rest} more, which \`--verbose\` shows`)] : []),
  ];
}

function findingLine({ kind, key, releases, package: name, message }: StoreFinding, paint: Paint): string {
  const word = kind === "unchecked" ? paint.yellow("cannot be checked") : paint.red(kind);
  const what = name === undefined ? "the release object" : name;
  const needed = `of ${counted(releases.length, "release")} (${releases.slice(0, 3).map(short).join(", ")})`;
  return `${word}: ${what} ${needed}, ${kind === "unchecked" ? message : `${key.slice(0, 24)}…`}`;
}

function summaryLine(
  { result, checked, findings }: StoreVerification,
  repaired: StoreRepair | undefined,
  paint: Paint,
): string {
  const facts = [
    counted(checked.releases, "release"),
    counted(checked.blobs, "blob"),
    `${formatSize(checked.bytes)} compared`,
  ].join(", ");
  const mended =
    repaired === undefined || repaired.before.result === "sound" ? "" : `${repaired.restored.length} restored; `;
  if (result === "sound") return `${paint.green(mended === "" ? "sound" : "repaired")}: ${mended}${facts}`;
  const title = result === "damaged" ? paint.red("damaged") : paint.yellow("not all could be checked");
  return `${title}: ${mended}${counted(findings.length, "finding")} (${facts})`;
}

function data(
  store: string,
  { result, findings, checked }: StoreVerification,
  repaired: StoreRepair | undefined,
): object {
  return {
    store,
    result,
    checked,
    findings: findings.map(({ package: name, ...finding }) => ({ ...finding, package: name ?? null })),
    repair: repaired === undefined ? null : { restored: repaired.restored, failed: repaired.failed },
  };
}
