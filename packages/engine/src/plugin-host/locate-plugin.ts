import { existsSync, readFileSync, realpathSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve, sep } from "node:path";
import { errorCode, quoteText } from "@autokestra/secrets-core/internal";

/** Where a plugin is, and what its process may read. */
export interface PluginPlace {
  /** The module with the plugin. */
  readonly entry: string;
  /** The program that serves it: that of the SDK that the plugin itself imports. */
  readonly program: string;
  /** Files, and folders that end with a slash. */
  readonly readable: readonly string[];
  /** What its package.json calls it, under `autokestra.plugin`; null if it does not. */
  readonly name: string | null;
}

/** Says why a plugin cannot be used, and what to do. */
export class PluginRefusal extends Error {
  readonly hint: string | undefined;

  constructor(message: string, hint?: string) {
    super(message);
    this.hint = hint;
  }
}

const SDK = "@autokestra/plugin-sdk";

/**
 * Finds a plugin as the configuration names it: a path relative to the configuration, or a package that is installed where the
 * configuration is.
 *
 * @param configPath the path of the configuration
 * @param kept files and folders that no plugin may read
 * @throws PluginRefusal
 */
export function locatePlugin(specifier: string, configPath: string, kept: readonly string[]): PluginPlace {
  const entry = realpathSync(find(specifier, configPath));
  const program = findProgram(entry);
  const folder = packageFolder(entry);
  const own = [withSlash(folder), withSlash(dirname(entry)), entry].find(
    (place) => !kept.some((path) => contains(place, path)),
  );
  if (own === undefined) throw new PluginRefusal("a plugin cannot be a file that it must not read");
  const sdk = packageFolder(program);
  const modules = [folder, sdk].flatMap(moduleFolders);
  const readable = [...new Set([own, withSlash(sdk), ...modules])];
  const exposed = kept.find((path) => readable.some((place) => contains(place, path)));
  if (exposed !== undefined)
    throw new PluginRefusal(`its process could read ${quoteText(exposed)}`, "Move one of them.");
  // Node would take them for a pattern, or for two paths.
  if (readable.some((path) => /[*,]/.test(path))) {
    throw new PluginRefusal("its path has an asterisk or a comma, which Node's permissions cannot name");
  }
  return { entry, program, readable, name: nameOf(folder) };
}

function find(specifier: string, configPath: string): string {
  if (/^\.{0,2}\//.test(specifier)) {
    const path = resolve(dirname(configPath), specifier);
    if (!existsSync(path)) {
      throw new PluginRefusal("there is no such file", "The path is relative to the folder of the configuration.");
    }
    try {
      return createRequire(configPath).resolve(path);
    } catch {
      throw new PluginRefusal("there is no module in that folder", "Name its module, or `main` in its package.json.");
    }
  }
  const require = createRequire(configPath);
  try {
    return require.resolve(specifier);
  } catch (error) {
    const path =
      errorCode(error) === "ERR_PACKAGE_PATH_NOT_EXPORTED"
        ? findModule(specifier, require.resolve.paths(specifier) ?? [])
        : null;
    if (path !== null) return path;
    throw new PluginRefusal(
      "there is no such package",
      "Install it in the folder of the configuration. A file begins with './'.",
    );
  }
}

/** The module of a package that exports it for `import` only. */
function findModule(name: string, places: readonly string[]): string | null {
  for (const modules of places) {
    const folder = join(modules, name);
    const { exports } = readManifest(folder);
    const main: unknown = isObject(exports) && "." in exports ? exports["."] : exports;
    const target: unknown = isObject(main) ? main["import"] : undefined;
    const path = isObject(target) ? target["default"] : target;
    if (typeof path === "string") return join(folder, path);
  }
  return null;
}

function findProgram(entry: string): string {
  try {
    return realpathSync(createRequire(entry).resolve(`${SDK}/child`));
  } catch {
    throw new PluginRefusal(`the package ${SDK} is not installed beside it, or is too old`, `Install ${SDK} there.`);
  }
}

/** The nearest folder with a package.json; the folder of the file if there is none. */
function packageFolder(file: string): string {
  for (let folder = dirname(file); folder !== dirname(folder); folder = dirname(folder)) {
    if (existsSync(join(folder, "package.json"))) return folder;
  }
  return dirname(file);
}

/** The folders from which a module in this folder can import packages. */
function moduleFolders(folder: string): string[] {
  const parent = dirname(folder);
  const modules = folder.endsWith(`${sep}node_modules`) ? folder : join(folder, "node_modules");
  const found = existsSync(modules) ? [withSlash(realpathSync(modules))] : [];
  return parent === folder ? found : [...found, ...moduleFolders(parent)];
}

function nameOf(folder: string): string | null {
  const { autokestra } = readManifest(folder);
  const name = isObject(autokestra) ? autokestra["plugin"] : undefined;
  return typeof name === "string" ? name : null;
}

function readManifest(folder: string): Readonly<Record<string, unknown>> {
  try {
    const manifest: unknown = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    return isObject(manifest) ? manifest : {};
  } catch {
    return {};
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

function withSlash(folder: string): string {
  return folder.endsWith(sep) ? folder : folder + sep;
}

/** Whether a path is a file or in a folder. */
function contains(place: string, path: string): boolean {
  return path === place || withSlash(path) === place || (place.endsWith(sep) && path.startsWith(place));
}
