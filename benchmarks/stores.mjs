// Measures reading, writing and listing in the SQLite store against better-sqlite3. Run `pnpm build` first. README.md
// explains the figures.

import { mkdtempSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { printTable } from "./print-table.mjs";
import { measureReading } from "./stores/measure-reading.mjs";
import { measureWriters } from "./stores/measure-writers.mjs";
import { measureWriting } from "./stores/measure-writing.mjs";

const SIZES = [100, 10_000, 100_000];

const folder = mkdtempSync(join(tmpdir(), "autokestra-bench-"));
try {
  console.log(`This machine: ${cpus().length} cores, Node ${process.versions.node}`);
  const { getting, listing } = await measureReading(folder, SIZES);
  printTable("Get and decrypt a secret by name: µs CPU, and ratios of the time of raw to ours", getting);
  printTable("List a page of 50: µs CPU, and ratios to the first page of the smallest store", listing);
  printTable("Write one secret: µs CPU, and ratios of the time of raw to ours", await measureWriting(folder));
  printTable("Four processes that write for three seconds", await measureWriters(folder));
} finally {
  rmSync(folder, { recursive: true });
}
