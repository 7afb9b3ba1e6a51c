// Holds the workspace to the six rules of ARCHITECTURE, "Who may know whom". The rules themselves: rooms/rules.mjs.
import { fileURLToPath } from "node:url";
import { findCircles } from "./rooms/find-circles.mjs";
import { followPath } from "./rooms/follow-path.mjs";
import { judgeImport, ruleOf } from "./rooms/judge-import.mjs";
import { lineAt, readRoom } from "./rooms/read-room.mjs";
import { arrows, core, crypto, rules } from "./rooms/rules.mjs";
import { readWorkspace, repository } from "./workspace.mjs";

/**
 * @typedef {import("./rooms/read-room.mjs").Room} Room
 * @typedef {import("./rooms/find-circles.mjs").Edge} Edge
 *
 * @typedef {object} Breach
 * @property {import("./rooms/rules.mjs").Rule} rule
 * @property {string} file
 * @property {number} line
 * @property {string} what
 */

/**
 * Checks the workspace at `root`.
 *
 * @param {string} root
 * @returns {{ packages: number, modules: number, breaches: Breach[] }}
 */
export function checkRooms(root) {
  const list = readWorkspace(root).map((member) => readRoom(root, member));
  const rooms = new Map(list.map((room) => [room.name, room]));
  const modules = list.reduce((sum, room) => sum + room.modules.length, 0);
  /** @type {Breach[]} */
  const breaches = list.flatMap((room) => [
    ...checkReading(room),
    ...checkManifest(room, rooms),
    ...checkImports(root, room, rooms),
    ...checkGlobals(room),
  ]);
  breaches.push(...packageCircles(list));
  if (list.length === 0) breaches.push({ rule: 0, file: "pnpm-workspace.yaml", line: 1, what: "leads to no package" });
  return { packages: list.length, modules, breaches };
}

/**
 * @param {Room} room
 * @returns {Breach[]}
 */
function checkReading({ name, folder, modules }) {
  /** @type {Breach[]} */
  const breaches = modules.flatMap(({ file, errors }) =>
    errors.map((error) => ({ rule: /** @type {const} */ (0), file, line: error.line, what: error.name })),
  );
  const file = `${folder}/package.json`;
  if (modules.length === 0) breaches.push({ rule: 0, file, line: 1, what: "has no sources in src/ or bin/" });
  if (!arrows.has(name)) breaches.push({ rule: 4, file, line: 1, what: `${name} is not in the picture` });
  return breaches;
}

/**
 * What package.json declares is judged like an import: a reader takes it for one.
 *
 * @param {Room} room
 * @param {ReadonlyMap<string, Room>} rooms
 * @returns {Breach[]}
 */
function checkManifest(room, rooms) {
  const { dependencies, optionalDependencies, peerDependencies } = room.manifest;
  return Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies }).flatMap((name) => {
    const verdict = judgeImport(room, name, rooms);
    if (verdict === null) return [];
    return [{ rule: verdict[0], file: `${room.folder}/package.json`, line: lineOfKey(room, name), what: verdict[1] }];
  });
}

/**
 * @param {string} root
 * @param {Room} room
 * @param {ReadonlyMap<string, Room>} rooms
 * @returns {Breach[]}
 */
function checkImports(root, room, rooms) {
  /** @type {Breach[]} */
  const breaches = [];
  /** @type {Map<string, Edge[]>} */
  const graph = new Map();
  for (const { file, imports } of room.modules) {
    /** @type {Edge[]} */
    const edges = [];
    for (const { specifier, line } of imports) {
      const isPath = specifier !== null && /^\.\.?(\/|$)/.test(specifier);
      const found = isPath ? followPath(root, room, file, specifier) : judgeImport(room, specifier, rooms);
      if (typeof found === "string") edges.push({ to: found, line });
      else if (found !== null) breaches.push({ rule: found[0], file, line, what: found[1] });
    }
    graph.set(file, edges);
  }
  for (const { path, line } of findCircles(graph)) {
    breaches.push({ rule: 1, file: path.at(-2) ?? "", line, what: path.join(" -> ") });
  }
  return breaches;
}

/**
 * @param {Room} room
 * @returns {Breach[]}
 */
function checkGlobals(room) {
  if (room.name === crypto) return [];
  const rule = room.name === core ? ruleOf(room) : 3;
  return room.modules.flatMap(({ file, inputOutput, subtle }) =>
    (room.name === core ? inputOutput : subtle).map(({ name, line }) => ({ rule, file, line, what: `uses ${name}` })),
  );
}

/**
 * @param {readonly Room[]} rooms
 * @returns {Breach[]}
 */
function packageCircles(rooms) {
  const graph = new Map(
    rooms.map((room) => {
      const { dependencies, optionalDependencies, peerDependencies, devDependencies } = room.manifest;
      const names = Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies, ...devDependencies });
      return [room.name, names.map((name) => ({ to: name, line: lineOfKey(room, name) }))];
    }),
  );
  return findCircles(graph).map(({ path, line }) => {
    const from = rooms.find(({ name }) => name === path.at(-2));
    return { rule: 1, file: `${from?.folder}/package.json`, line, what: path.join(" -> ") };
  });
}

/**
 * @param {Room} room
 * @param {string} key
 */
function lineOfKey({ manifestText }, key) {
  return lineAt(manifestText, manifestText.indexOf(`"${key}":`));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { packages, modules, breaches } = checkRooms(repository);
  for (const { rule, file, line, what } of breaches)
    console.log(`${file}:${line} rule ${rule}: ${rules[rule]}: ${what}`);
  console.log(`rooms: ${packages} packages, ${modules} modules, ${breaches.length} breaches`);
  process.exitCode = breaches.length === 0 ? 0 : 1;
}
