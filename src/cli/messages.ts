/** How errors and warnings look on a terminal. */
import type { CspError, Warning } from "../core/errors.ts";
import type { Paint } from "./paint.ts";

/** `error[CODE]: cause`, the facts, `help:` and where to read more. */
export function errorLines(error: CspError, paint: Paint): string[] {
  return [
    `${paint.red(paint.bold(`error[${error.code}]`))}${paint.bold(`: ${error.message}`)}`,
    ...error.details.map((line) => `  ${line}`),
    ...(error.hint === undefined ? [] : [`${paint.cyan("help:")} ${error.hint}`]),
    paint.dim(`docs: csp explain ${error.code}`),
  ];
}

export function warningLines(warning: Warning, paint: Paint): string[] {
  return [
    `${paint.yellow(`warning[${warning.code}]`)}: ${warning.message}`,
    ...(warning.hint === undefined ? [] : [`${paint.cyan("help:")} ${warning.hint}`]),
  ];
}

/** The annotation that GitHub shows beside a pull request's diff. */
export function annotation(error: CspError, file: string | undefined): string {
  const encoded = (text: string): string => text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
  const place = file === undefined ? "" : ` file=${encoded(file).replaceAll(":", "%3A").replaceAll(",", "%2C")}`;
  return `::error${place}::${encoded([`${error.code}: ${error.message}`, ...error.details].join("\n"))}`;
}
