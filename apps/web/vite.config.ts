import { defineConfig } from "vite";

/** The page as static files of the server: what is loaded at first, in one script and one style sheet. */
export default defineConfig({
  base: "/",
  // Of what it imports from packages, the sources are read.
  resolve: { conditions: ["@autokestra/source", "browser", "module", "import"] },
  build: {
    // The server is packed with it.
    outDir: "../../packages/server/dist/page",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    license: { fileName: "THIRD_PARTY_NOTICES.txt" },
  },
  // `vite` serves the sources while you change them, and asks a server that runs beside it.
  server: { proxy: { "/api": { target: "http://127.0.0.1:8000", changeOrigin: true } } },
});
