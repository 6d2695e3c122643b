/** Text archives: one page that holds a comment and, below lines of the form `-- path --`, the files. */

export interface TextFile {
  path: string;
  /** Ends in a newline unless empty. */
  text: string;
  /** Line of the marker in the page, from 1. */
  line: number;
}

export interface TextArchive {
  /** Everything above the first marker. */
  comment: string;
  files: TextFile[];
}

/** Reads a text archive. Never fails: a page without markers is all comment. */
export function parseTextArchive(text: string): TextArchive {
  const comment: string[] = [];
  const files: { path: string; line: number; lines: string[] }[] = [];
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  lines.forEach((line, index) => {
    const marker = /^-- (\S.*?) --\s*$/.exec(line)?.[1];
    if (marker !== undefined) files.push({ path: marker, line: index + 1, lines: [] });
    else (files.at(-1)?.lines ?? comment).push(line);
  });
  return {
    comment: comment.join("\n"),
    files: files.map(({ path, line, lines: own }) => ({ path, line, text: own.map((each) => `${each}\n`).join("") })),
  };
}
