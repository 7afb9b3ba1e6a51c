// C5, D16, D21, K2, K10, K30, K34, M5, M7, R1-R17: the unit tests that try fewer orders, cuts, inputs and processes than there are, here
// with all of them; the short form is the same.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { countTests, summaryOf } from "../../scripts/count-tests.mjs";
import { outputOf, run, toolEnvironment } from "../../scripts/run.mjs";

const TESTS = [
  ["K2, K34", "packages/secrets/test/interleavings"],
  ["C5, D16", "packages/secrets/test/attacks"],
  ["D16", "packages/secrets/test/header-attacks"],
  ["D21", "packages/private-files/test/create-private-file"],
  ["K10, K30", "apps/cli/test/echo"],
  ["D21", "packages/secrets-store-sqlite/test/schema"],
  ["R1-R17", "packages/engine/test/workflow/parse-workflow"],
  ["M5, M7", "packages/secrets-masker/"],
];

const folder = mkdtempSync(join(tmpdir(), "autokestra-long-"));
const rows = TESTS.map(([id, files = ""]) => {
  const report = join(folder, `${id}.json`);
  const args = ["run", "--reporter=default", "--reporter=json", `--outputFile.json=${report}`, files];
  const outcome = run("vitest", args, { env: { ...toolEnvironment(), LONG_TESTS: "true" } });
  if (!outcome.ok) return { id, figure: outputOf(outcome), pass: false };
  const counts = countTests(JSON.parse(readFileSync(report, "utf8")));
  return { id, figure: `${files}: ${summaryOf(counts, []).at(-1)}`, pass: counts.passed > 0 && counts.failed === 0 };
});
rmSync(folder, { recursive: true });
console.log(JSON.stringify(rows));
