/** Columns of text, as wide as their widest cell. */

/** Aligns rows; the last column is not padded. Widths count what a terminal shows, wide characters as two. */
export function alignRows(rows: readonly (readonly string[])[], right: readonly number[] = []): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, Bun.stringWidth(cell));
  }
  return rows.map((row) =>
    row
      .map((cell, i) => {
        const space = " ".repeat((widths[i] ?? 0) - Bun.stringWidth(cell));
        if (right.includes(i)) return space + cell;
        return i === row.length - 1 ? cell : cell + space;
      })
      .join("  ")
      .trimEnd(),
  );
}
