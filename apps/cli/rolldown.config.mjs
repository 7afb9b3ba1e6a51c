import { chmodSync } from "node:fs";
import { join } from "node:path";
import { defineConfig } from "rolldown";
import license from "rollup-plugin-license";

// One bundle, so that a command starts fast. better-sqlite3 is native and stays outside; each command is a chunk of its own.
export default defineConfig({
  input: { autokestra: "src/autokestra.ts" },
  platform: "node",
  external: ["better-sqlite3"],
  resolve: { conditionNames: ["@autokestra/source", "node", "import", "default"] },
  plugins: [
    {
      name: "executable",
      writeBundle: ({ dir }) => chmodSync(join(dir ?? "dist", "autokestra.js"), 0o755),
    },
    license({
      thirdParty: {
        output: "dist/THIRD_PARTY_NOTICES.txt",
        allow: {
          test: "(MIT OR ISC OR BSD-2-Clause OR BSD-3-Clause OR BlueOak-1.0.0)",
          failOnUnlicensed: true,
          failOnViolation: true,
        },
      },
    }),
  ],
  output: { dir: "dist", format: "esm", cleanDir: true, minify: { mangle: false, compress: true } },
});
