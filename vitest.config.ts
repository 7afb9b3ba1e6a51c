import { defineConfig } from "vitest/config";

const conditions = ["@autokestra/source", "node", "import", "default"];

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
    projects: [
      {
        extends: true,
        test: { name: "packages", include: ["packages/*/test/**/*.test.ts", "scripts/test/**/*.test.ts"] },
      },
      {
        extends: true,
        // The command is tested as it is built.
        test: { name: "apps", include: ["apps/*/test/**/*.test.ts"], globalSetup: ["apps/cli/test/build-cli.ts"] },
      },
    ],
  },
});
