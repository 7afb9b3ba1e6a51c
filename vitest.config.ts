import { defineConfig } from "vitest/config";

const conditions = ["@autokestra/source", "node", "import", "default"];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ["{packages,apps}/*/test/**/*.test.ts", "scripts/test/**/*.test.ts"],
    pool: "threads",
    globalSetup: ["apps/cli/test/build-cli.ts"],
    restoreMocks: true,
    testTimeout: 30_000,
  },
});
