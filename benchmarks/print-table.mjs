/**
 * Prints rows in columns: the first to the left, figures to the right.
 *
 * @param {string} title
 * @param {readonly (readonly string[])[]} rows The first one is the header.
 */
export function printTable(title, rows) {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
  console.log(`\n${title}\n`);
  for (const row of rows) {
    const cells = row.map((cell, column) => {
      const width = widths[column] ?? 0;
      return column === 0 ? cell.padEnd(width) : cell.padStart(width);
    });
    console.log(`  ${cells.join("   ")}`);
  }
}
