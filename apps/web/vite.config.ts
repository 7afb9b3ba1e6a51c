import { appendFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { defineConfig } from "vite";

const NOTICES = "THIRD_PARTY_NOTICES.txt";

/** The page as static files, for the server: what is loaded at first, in one script and one style sheet. */
export default defineConfig({
  base: "/",
  // It is built before the packages that it imports from.
  resolve: { conditions: ["@autokestra/source", "browser", "module", "import"] },
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    license: { fileName: NOTICES },
  },
  plugins: [
    {
      // Vite writes the licences of scripts.
      name: "licence-of-styles",
      writeBundle({ dir = "dist" }) {
        const licence = readFileSync(new URL("node_modules/@picocss/pico/LICENSE.md", import.meta.url), "utf8");
        appendFileSync(join(dir, NOTICES), `\n## @picocss/pico (MIT)\n\n${licence}`);
      },
    },
  ],
  // `vite` serves the sources while you change them, and asks a server that runs beside it.
  server: { proxy: { "/api": { target: "http://127.0.0.1:8000", changeOrigin: true } } },
});
