/** Comparing output with the output that a script shows, where times, sizes and hashes may differ. */

const holes: Readonly<Record<string, string>> = {
  "[TIME]": "\\d+(?:\\.\\d+)? ?(?:ms|s|m|h|d)",
  "[SIZE]": "\\d+(?:\\.\\d+)? ?(?:[kKMGT]i?)?B",
  "[DATE]": "\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(?:\\.\\d+)?Z",
  "[HASH]": "[0-9a-f]{7,128}",
  "[UUID]": "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
  "[..]": ".*?",
};
const hole = /\[(?:TIME|SIZE|DATE|HASH|UUID|\.\.)\]/g;

/** The places where the text differs from the expected one; undefined where it is as expected. */
export function difference(actual: string, expected: string): string | undefined {
  if (actual === expected) return undefined;
  const [is, should] = [actual.split("\n"), expected.split("\n")];
  const lines: string[] = [];
  let different = false;
  for (let index = 0; index < Math.max(is.length, should.length); index += 1) {
    const [here, wanted] = [is[index], should[index]];
    if (here !== undefined && wanted !== undefined && fits(here, wanted)) {
      if (here !== "" || index + 1 < is.length) lines.push(`  ${here}`);
      continue;
    }
    different = true;
    if (wanted !== undefined) lines.push(`- ${wanted}`);
    if (here !== undefined) lines.push(`+ ${here}`);
  }
  return different ? `(- wanted, + found)\n${lines.join("\n")}` : undefined;
}

function fits(line: string, wanted: string): boolean {
  if (line === wanted) return true;
  let [pattern, last] = ["", 0];
  for (const match of wanted.matchAll(hole)) {
    pattern += RegExp.escape(wanted.slice(last, match.index)) + holes[match[0]];
    last = match.index + match[0].length;
  }
  return last > 0 && new RegExp(`^${pattern}${RegExp.escape(wanted.slice(last))}$`).test(line);
}
