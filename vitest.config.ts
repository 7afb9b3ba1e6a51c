import { readdirSync } from "node:fs";
import { configDefaults, defineConfig } from "vitest/config";
import { loadNodeSqlite } from "./packages/sqlite/src/node-sqlite.ts";
import { availableServers } from "./scripts/servers/installation.mjs";

// Without "import": Node.js would take it for require() too, and pg's parts would not fit together.
const conditions = ["@autokestra/source", "node", "default"];

/** These read /proc or write to /dev/full. */
const onLinux = ["packages/runs/test/run-states.test.ts", "apps/cli/test/output.test.ts", "apps/cli/test/runs.test.ts"];

/** A test file names the real servers that it needs: `leases.openbao.postgres.test.ts`. It runs where they are installed. */
const servers = availableServers();
const serverTests = `*.{${servers.map(({ name }) => name).join(",")}}.test.ts`;
const notInstalled = servers.filter(({ installed }) => !installed).map(({ name }) => `**/*.${name}.*`);

const exclude = [...configDefaults.exclude, `**/${serverTests}`, ...(process.platform === "linux" ? [] : onLinux)];

/** Everything that keeps something in SQLite, once more on `node:sqlite`: where Node.js has one that is used. */
const builtInSqlite = (loadNodeSqlite() === null ? [] : ["sqlite-builtin"]).map((name) => ({
  extends: true as const,
  test: {
    name,
    include: ["packages/{sqlite,secrets-store-sqlite,runs,secrets}/test/**/*.test.ts"],
    exclude,
    setupFiles: ["packages/sqlite/test/use-built-in.ts"],
  },
}));

/** Packages that keep nothing in the process, so that their test files can share a worker: each worker loads modules once. */
const shared =
  "plugin-sdk|plugins-core|runs|secrets|secrets-core|secrets-crypto|secrets-masker|secrets-resolver|secrets-store-file|secrets-store-sqlite";

/** All others. By name: `!(secrets)` of a glob is not `secrets-providers` either. */
const isolated = readdirSync(new URL("packages", import.meta.url))
  .filter((name) => !shared.split("|").includes(name))
  .map((name) => `packages/${name}/test/**/*.test.ts`);

/** This puts another module in the place of one of ours. */
const alone = ["packages/secrets-crypto/test/key-source/master-key.test.ts"];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    pool: "threads",
    // Vitest keeps one core for itself: on two, that would be one worker.
    maxWorkers: "100%",
    restoreMocks: true,
    // Only what hangs ends here: a busy machine may take its time.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    projects: [
      ...builtInSqlite,
      {
        extends: true,
        test: {
          name: "packages",
          include: [...isolated, "scripts/test/**/*.test.ts", ...alone],
          exclude,
        },
      },
      {
        extends: true,
        test: {
          name: "shared",
          include: [`packages/@(${shared})/test/**/*.test.ts`],
          exclude: [...exclude, ...alone],
          isolate: false,
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
        // The command is tested as it is built.
        test: {
          name: "apps",
          include: ["apps/*/test/**/*.test.ts"],
          exclude,
          globalSetup: ["apps/cli/test/build-cli.ts"],
        },
      },
    ],
  },
});
