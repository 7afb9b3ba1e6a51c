// Takes better-sqlite3 away from a process, as if it was not installed: what runs then is the SQLite of Node.js.
// usage: node --import "$PWD/test/faults/support/without-better-sqlite3.mjs" test/faults/SCRIPT.mjs, with Node.js 24.16 or later
import { registerHooks } from "node:module";

registerHooks({
  resolve(specifier, context, next) {
    if (specifier !== "better-sqlite3") return next(specifier, context);
    throw Object.assign(new Error("better-sqlite3 is taken away"), { code: "ERR_MODULE_NOT_FOUND" });
  },
});
