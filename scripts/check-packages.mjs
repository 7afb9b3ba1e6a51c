// Packs every public package and treats the tarballs as a user would: reads them, installs them elsewhere, imports and runs them.
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkTarball } from "./packages/check-tarball.mjs";
import { importExports } from "./packages/import-exports.mjs";
import { installTarballs } from "./packages/install-tarballs.mjs";
import { npmEnvironment, packPackages } from "./packages/pack.mjs";
import { runSamples } from "./packages/run-samples.mjs";
import { tryCommand } from "./packages/try-command.mjs";
import { mustRun } from "./run.mjs";
import { repository } from "./workspace.mjs";

const folder = realpathSync(mkdtempSync(join(tmpdir(), "autokestra-packages-")));
const [tarballFolder, consumer] = [join(folder, "tarballs"), join(folder, "consumer")];
for (const path of [tarballFolder, consumer]) mkdirSync(path);

try {
  const tarballs = packPackages(tarballFolder);
  say(`packed ${tarballs.length} packages`);
  for (const tarball of tarballs) {
    const checks = await checkTarball(tarball);
    say(`${tarball.manifest.name}: ${tarball.files.length} files (${checks.join(", ")})`);
  }
  say(`npm installed them as ${installTarballs(consumer, tarballs)} packages`);
  say(`imported ${importExports(consumer, tarballs)} exports`);
  const compilers = findCompilers(folder);
  const samples = runSamples(folder, consumer, tarballs, compilers);
  say(
    `checked ${samples.checked} samples of READMEs and docstrings with ${compilers.length} compilers, and ran ${samples.run}`,
  );
  say(`autokestra ${tryCommand(consumer, tarballs)}: version, set, get, list, plugin init with its test`);
} catch (error) {
  console.log(`FAILED  ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true });
}

/**
 * The oldest TypeScript that users of these packages may have, and the one of this workspace.
 *
 * @param {string} place
 * @returns {string[]}
 */
function findCompilers(place) {
  const older = join(place, "typescript");
  mkdirSync(older);
  const options = ["--no-audit", "--no-fund"];
  mustRun("npm", ["install", "--prefix", older, ...options, "typescript@5.9.3"], { cwd: older, env: npmEnvironment });
  return [older, repository].map((root) => join(root, "node_modules", "typescript", "bin", "tsc"));
}

/** @param {string} what */
function say(what) {
  console.log(`ok      ${what}`);
}
