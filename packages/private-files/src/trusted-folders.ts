import { lstatSync, realpathSync, statSync } from "node:fs";
import { userInfo } from "node:os";
import { dirname, isAbsolute, join } from "node:path";

/**
 * The home folder: `HOME`, or that of the account where `HOME` is empty or relative, so that nothing of a person ends up in the working
 * directory.
 *
 * @returns null where the account has none either
 */
export function homeFolder(env: NodeJS.ProcessEnv = process.env): string | null {
  const home = env["HOME"] ?? "";
  if (isAbsolute(home)) return home;
  const ofAccount = accountHome();
  return isAbsolute(ofAccount) ? ofAccount : null;
}

function accountHome(): string {
  try {
    return userInfo().homedir;
  } catch {
    // A container may run under a number that no account has.
    return "";
  }
}

/**
 * The working directory, then the folders above it in which only this user and root can have put anything, in the order in which
 * something that belongs to a project is searched there. The search ends with the root of a repository; the home folder, the root
 * of the file system, a folder of another owner and one in which everybody may write, such as `/tmp`, are not searched, nor is what
 * is above them.
 */
export function trustedFolders(env: NodeJS.ProcessEnv = process.env): string[] {
  const start = process.cwd();
  const home = realHome(env);
  const folders = [start];
  for (let folder = start; !isEnd(folder, home); folder = dirname(folder)) {
    const parent = dirname(folder);
    if (isForeign(parent) || parent === home || parent === dirname(parent)) break;
    folders.push(parent);
  }
  return folders;
}

/** Nothing above this folder belongs to it. */
function isEnd(folder: string, home: string | null): boolean {
  return (
    folder === home || isForeign(folder) || lstatSync(join(folder, ".git"), { throwIfNoEntry: false }) !== undefined
  );
}

/** A folder in which others can put things, or that cannot be seen. */
function isForeign(folder: string): boolean {
  try {
    const { uid, mode } = statSync(folder);
    return uid !== process.geteuid?.() || (mode & 0o002) !== 0;
  } catch {
    return true;
  }
}

function realHome(env: NodeJS.ProcessEnv): string | null {
  const home = homeFolder(env);
  if (home === null) return null;
  try {
    return realpathSync(home);
  } catch {
    return home;
  }
}
