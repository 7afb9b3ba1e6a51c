import { existsSync } from "node:fs";
import { join, posix } from "node:path";
import { moduleName } from "./read-package.mjs";
import { ruleOf } from "./violation.mjs";

/**
 * Follows a relative import inside its package: the module it leads to, null for a file that is no module, or the rule it breaks.
 *
 * @param {string} root
 * @param {import("./read-package.mjs").PackageSources} member
 * @param {string} from The file that imports.
 * @param {string} specifier
 * @returns {string | null | import("./violation.mjs").Violation}
 */
export function followPath(root, member, from, specifier) {
  const path = posix.join(posix.dirname(from), specifier);
  if (!path.startsWith(`${member.folder}/`))
    return [ruleOf(member), `imports ${specifier}, a file inside another package`];
  const spellings = [path, `${path}.ts`, `${path}/index.ts`, path.replace(/\.js$/, ".ts")];
  const target = spellings.find((spelling) => member.modules.some(({ file }) => file === spelling));
  if (target !== undefined) return target;
  // bin/ starts what was built from src/, so src/ is read instead.
  if (from.startsWith(`${member.folder}/bin/`) && path.startsWith(`${member.folder}/dist/`)) return null;
  const isData = existsSync(join(root, path)) && !moduleName.test(path);
  return isData ? null : [0, `imports ${specifier}, which leads to no source of this package`];
}
