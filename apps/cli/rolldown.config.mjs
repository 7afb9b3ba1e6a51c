import { chmodSync, cpSync, existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig } from "rolldown";
import license from "rollup-plugin-license";

/** @param {string} name */
const bundled = (name) => fileURLToPath(new URL(`bundle/${name}.cjs`, import.meta.url));

/** As it is built into the server. */
const page = fileURLToPath(new URL("../../packages/server/dist/page", import.meta.url));

/** The name of the package whose modules they are. @param {readonly string[]} ids */
const packageOf = (ids) => /\/packages\/([^/]+)\//.exec(ids.at(-1) ?? "")?.[1] ?? "[name]";

/** What rolldown writes for each name that other chunks need. */
const EXPORT =
  /^Object\.defineProperty\(exports, "([\w$]+)", \{\s*enumerable: true,\s*get: function \(\) \{\s*return ([\w$]+);\s*\}\s*\}\);$/gm;

/** All chunks that one needs before it runs. @param {string} name @param {import("rolldown").OutputBundle} output */
function importedBy(name, output) {
  const importsOf = (/** @type {string} */ of) => (output[of]?.type === "chunk" ? output[of].imports : []);
  const found = new Set(importsOf(name));
  for (const other of found) for (const next of importsOf(other)) found.add(next);
  return found;
}

/** Exports all names of a chunk in one object, and what never changes as values. @param {string} code */
function exportTogether(code) {
  const rest = code.replace(EXPORT, "");
  if (rest === code || /^(?:Object\.definePropert\w+\()?exports\b/m.test(rest)) return code;
  const constants = new Set(code.match(/(?<=^(?:async function|function|class|const)\*? )[\w$]+/gm));
  const names = [...code.matchAll(EXPORT)].map(([, name, value = ""]) =>
    constants.has(value) ? `${name}: ${value}` : `get ${name}() { return ${value}; }`,
  );
  return `${rest}\nmodule.exports = { ${names.join(", ")} };\n`;
}

/** @param {string} code */
const toAscii = (code) =>
  code.replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);

// One bundle of CommonJS, so that a command starts fast: each command is a chunk of its own, and what most commands need is in one.
/** All but what is written beside it. */
export const bundle = defineConfig({
  input: { autokestra: "src/autokestra.ts", zod: "bundle/zod-parts.mjs" },
  platform: "node",
  // For groups of chunks that do not draw in what they import.
  preserveEntrySignatures: "allow-extension",
  external: [
    // Never asked: it would look for what better-sqlite3.cjs has found.
    "bindings",
    // Installed by those who use them.
    "@aws-sdk/client-secrets-manager",
    "@azure/identity",
    "google-auth-library",
  ],
  resolve: {
    conditionNames: ["@autokestra/source", "node", "import", "default"],
    alias: {
      "better-sqlite3$": bundled("better-sqlite3"),
      zod$: bundled("lazy-zod"),
    },
  },
  plugins: [
    {
      // Commander starts programs for commands that are programs, which none of ours is.
      name: "no-child-process",
      resolveId: (source, importer) =>
        source === "node:child_process" && importer?.includes("/commander/") ? bundled("nothing") : null,
    },
    {
      name: "no-tables-in-javascript",
      resolveId: (source, importer) =>
        /^\.\/methods\/(aggregate|table)$/.test(source) && importer?.includes("/better-sqlite3/")
          ? bundled("better-sqlite3-unused")
          : null,
    },
    {
      // To define 180 properties one by one takes 3 ms of every start.
      name: "exports",
      renderChunk: (code, { isEntry }) => (isEntry ? code : exportTogether(code)),
      generateBundle(_, output) {
        for (const name of Object.keys(output)) {
          if (importedBy(name, output).has(name)) throw new Error(`${name} imports itself: it would find no exports`);
        }
      },
    },
    {
      // The first file does not use it, and runs before compiled code can be looked for.
      name: "no-early-runtime",
      generateBundle(_, output) {
        const start = output["autokestra.cjs"];
        if (start?.type === "chunk") start.code = start.code.replace(/^require\("\.\/rolldown-runtime\.cjs"\);/m, "");
      },
    },
    {
      // V8 keeps a text in half of the space, and reads it in half of the time, where it has no other character.
      name: "ascii",
      generateBundle(_, output) {
        for (const file of Object.values(output)) if (file.type === "chunk") file.code = toAscii(file.code);
      },
    },
    {
      // The server reads it from ../dist/page, as in its own package.
      name: "page",
      writeBundle: ({ dir = "dist" }) => {
        if (existsSync(page)) cpSync(page, join(dir, "page"), { recursive: true });
      },
    },
  ],
  output: {
    dir: "dist",
    format: "cjs",
    entryFileNames: "[name].cjs",
    // No hashes: what Node keeps of a chunk is replaced by that of the next version.
    chunkFileNames: ({ name, moduleIds }) => `${name === "src" ? packageOf(moduleIds) : "[name]"}.cjs`,
    cleanDir: true,
    codeSplitting: {
      includeDependenciesRecursively: false,
      groups: [
        { name: "sqlite", test: /\/packages\/(?:sqlite|secrets-store-sqlite)\/|better-sqlite3/, priority: 1 },
        { name: "version", test: /\/apps\/cli\/package\.json$/, priority: 1 },
        // Many commands open the run history, and most do not.
        { name: "runs", test: /\/packages\/runs\/|\/apps\/cli\/src\/runs\.ts$/, priority: 1 },
        // What providers have in common must not be loaded where none is asked.
        {
          name: "providers",
          test: /\/packages\/secrets-providers\/|\/node_modules\/(?:cockatiel|undici)\//,
          minShareCount: 2,
          priority: 1,
        },
        {
          name: "exact-json",
          test: /\/exact-json\.ts$|\/node_modules\/lossless-json\//,
          minShareCount: 2,
          priority: 1,
        },
        // Commands that print no table do not need it, however many others do.
        { name: "table", test: /\/output\/table\.ts$|\/fast-string-/, minShareCount: 2, priority: 1 },
        { name: "text-width", test: /\/fast-string-(?:truncated-)?width\//, priority: 2 },
        // What every command loads is in few chunks, because each has to be found and read.
        {
          name: "command-line",
          test: /\/apps\/cli\/src\/(?:command-line|commands|errors)\.ts$|\/load-config\.ts$/,
          minShareCount: 2,
          priority: 1,
        },
        { name: "shared", minShareCount: 8 },
      ],
    },
    minify: { mangle: { keepNames: true }, compress: true },
  },
});

export default defineConfig({
  ...bundle,
  plugins: [
    bundle.plugins,
    {
      name: "executable",
      writeBundle: ({ dir }) => chmodSync(join(dir ?? "dist", "autokestra.cjs"), 0o755),
    },
    license({
      thirdParty: {
        output: "dist/THIRD_PARTY_NOTICES.txt",
        allow: {
          test: "(MIT OR ISC OR BSD-2-Clause OR BSD-3-Clause OR BlueOak-1.0.0 OR Apache-2.0)",
          failOnUnlicensed: true,
          failOnViolation: true,
        },
      },
    }),
  ],
});
