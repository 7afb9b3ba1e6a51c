// Packs every public package and treats the tarballs as a user would: reads them, installs them elsewhere, imports and runs them.
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkTarball } from "./packages/check-tarball.mjs";
import { importExports } from "./packages/import-exports.mjs";
import { installTarballs } from "./packages/install-tarballs.mjs";
import { packPackages } from "./packages/pack.mjs";
import { runSamples } from "./packages/run-samples.mjs";
import { tryCommand } from "./packages/try-command.mjs";
import { repository } from "./workspace.mjs";

/** The oldest TypeScript that users of these packages may have. */
const OLDEST_TYPESCRIPT = "5.9.3";

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
  say(`npm installed them as ${installTarballs(consumer, tarballs, { typescript: OLDEST_TYPESCRIPT })} packages`);
  say(`imported ${importExports(consumer, tarballs)} exports`);
  // The one of this workspace is written in Go: its threads would each look at the types of libraries again.
  const compilers = [tscOf(consumer, "--noEmit"), tscOf(repository, "--singleThreaded")];
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
 * What Node is told to run a compiler.
 *
 * @param {string} root
 * @param {string} option
 */
function tscOf(root, option) {
  return ["--max-semi-space-size=64", join(root, "node_modules", "typescript", "bin", "tsc"), option];
}

/** @param {string} what */
function say(what) {
  console.log(`ok      ${what}`);
}
