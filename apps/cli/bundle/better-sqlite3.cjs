// Stands for better-sqlite3 in the bundle: its JavaScript is part of the bundle, and its native part is loaded from where it is
// installed. Without this, Node looks for a dozen small files on every start.
const { createRequire } = require("node:module");
const path = require("node:path");
const { version } = require("better-sqlite3/package.json");
const BundledDatabase = require("better-sqlite3/lib/database.js");

const requireInstalled = createRequire(__filename);

/** The constructor of better-sqlite3. Another version, or one that is not where it is built, brings its own JavaScript. */
function load() {
  const manifest = findManifest();
  const native = path.join(path.dirname(manifest), "build", "Release", "better_sqlite3.node");
  if (requireInstalled(manifest).version !== version) return requireInstalled("better-sqlite3");
  const addon = loadNative(native);
  if (addon === null) return requireInstalled("better-sqlite3");
  return class Database extends BundledDatabase {
    constructor(filename, options) {
      super(filename, { ...options, nativeBinding: addon });
    }
  };
}

function findManifest() {
  try {
    return requireInstalled.resolve("better-sqlite3/package.json");
  } catch (error) {
    // As `import` says it: in the sources this is one.
    error.code = "ERR_MODULE_NOT_FOUND";
    throw error;
  }
}

/** Null where there is none: better-sqlite3 then says where it has looked. */
function loadNative(file) {
  try {
    return requireInstalled(file);
  } catch (error) {
    if (error.code === "MODULE_NOT_FOUND") return null;
    throw error;
  }
}

module.exports = load();
