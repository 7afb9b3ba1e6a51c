import { defineConfig } from "vite";

/** The page as static files, for the server: what is loaded at first, in one script and one style sheet. */
export default defineConfig({
  base: "/",
  // It is built before the packages that it imports from.
  resolve: { conditions: ["@autokestra/source", "browser", "module", "import"] },
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    license: { fileName: "THIRD_PARTY_NOTICES.txt" },
  },
  // `vite` serves the sources while you change them, and asks a server that runs beside it.
  server: { proxy: { "/api": { target: "http://127.0.0.1:8000", changeOrigin: true } } },
});
