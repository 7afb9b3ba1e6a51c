import { availableParallelism } from "node:os";
import { configDefaults, defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";
import { loadNodeSqlite } from "./packages/sqlite/src/node-sqlite.ts";
import { neededByTests } from "./scripts/servers/installation.mjs";

// Without "import": Node.js would take it for require() too, and pg's parts would not fit together.
const conditions = ["@autokestra/source", "node", "default"];

/** These read /proc or write to /dev/full. */
const onLinux = ["packages/runs/test/run-states.test.ts", "apps/cli/test/output.test.ts", "apps/cli/test/runs.test.ts"];

/** A test file names the real servers, or the browser, that it needs: `leases.openbao.postgres.test.ts`. It runs where they are installed. */
const needed = neededByTests();
const serverTests = `*.{${needed.map(({ name }) => name).join(",")}}.test.ts`;
const notInstalled = needed.filter(({ installed }) => !installed).map(({ name }) => `**/*.${name}.*`);

const elsewhere = process.platform === "linux" ? [] : onLinux;
const exclude = [...configDefaults.exclude, `**/${serverTests}`, ...elsewhere];

const propertyTests = "scripts/test/property-tests.ts";

/** Everything that keeps something in SQLite, once more on `node:sqlite`: where Node.js has one that is used. */
const builtInSqlite = (loadNodeSqlite() === null ? [] : ["sqlite-builtin"]).map((name) => ({
  extends: true as const,
  test: {
    name,
    include: ["packages/{sqlite,secrets-store-sqlite,runs,secrets}/test/**/*.test.ts"],
    exclude,
    setupFiles: [propertyTests, "packages/sqlite/test/use-built-in.ts"],
  },
}));

/**
 * These replace a module, ours or another, or need a library that has not been loaded. All other tests of
 * packages leave nothing in the process: their files share a worker, which loads modules once.
 */
const alone = [
  "packages/engine/test/run/process-output.test.ts",
  "packages/private-files/test/close-to-others.test.ts",
  "packages/secrets-crypto/test/key-source/master-key.test.ts",
  "packages/secrets/test/access/without-sqlite.test.ts",
  "packages/secrets-providers/test/{aws-secrets-manager,azure-key-vault,gcp-secret-manager,peers}.test.ts",
];

/** The tests that wait most, for real servers, come first: at the end there would be nothing to do meanwhile. */
class WaitingFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    return sorted.toSorted((a, b) => Number(needsServers(b)) - Number(needsServers(a)));
  }
}

function needsServers({ project }: TestSpecification): boolean {
  return project.name === "servers" || project.name === "page";
}

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    pool: "threads",
    // More than there are cores, because tests wait for half of their time: for processes, disks and time limits. On two cores, 3 workers take
    // 237 s, 4 take 223, 6 take 192. (The option of the command line does not reach the projects; VITEST_MAX_WORKERS does.)
    maxWorkers: availableParallelism() + 4,
    sequence: { sequencer: WaitingFirst },
    // What runs concurrently within a file waits for others.
    maxConcurrency: 20,
    restoreMocks: true,
    tags: [
      { name: "faults", description: "Kills, stops, races or attacks. `npm test` leaves these to `npm run faults`." },
    ],
    setupFiles: [propertyTests],
    // Only what hangs ends here: a busy machine may take its time.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // The same: vitest waits for one second, which a busy machine takes for anything.
    expect: { poll: { timeout: 100_000 } },
    projects: [
      ...builtInSqlite,
      {
        extends: true,
        test: {
          name: "packages",
          include: ["packages/*/test/**/*.test.ts", "apps/web/test/**/*.test.ts"],
          exclude: [...exclude, ...alone],
          isolate: false,
        },
      },
      {
        extends: true,
        test: {
          name: "alone",
          include: [...alone, "scripts/test/**/*.test.ts"],
          exclude,
        },
      },
      {
        extends: true,
        test: {
          name: "servers",
          include: ["packages/*/test", "scripts/test"].map((folder) => `${folder}/**/${serverTests}`),
          exclude: [...configDefaults.exclude, ...notInstalled],
        },
      },
      {
        extends: true,
        // The page as it is built.
        test: {
          name: "page",
          include: ["apps/web/test/**/*.chromium.test.ts"],
          exclude: [...configDefaults.exclude, ...notInstalled],
        },
      },
      {
        extends: true,
        // The command is tested as it is built.
        test: {
          name: "apps",
          include: ["apps/cli/test/**/*.test.ts"],
          exclude: [...configDefaults.exclude, ...notInstalled, ...elsewhere],
          // They share the process that runs commands, too.
          isolate: false,
          globalSetup: ["apps/cli/test/build-cli.ts"],
        },
      },
    ],
  },
});
