import { lstatSync, realpathSync, statSync } from "node:fs";
import { userInfo } from "node:os";
import { dirname, isAbsolute, join } from "node:path";

/**
 * Returns the home folder: `HOME`, or that of the account if `HOME` is empty or relative, so that private files do not
 * end up in the working directory.
 *
 * @returns null if the account has none either
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
    // A container can run as a user without an account.
    return "";
  }
}

/**
 * Returns the folders in which the files of a project are searched: the working directory, then its parents up to the
 * root of the repository. Ends before the home folder, the root of the file system, a folder of another user, and one
 * to which everyone can write, such as `/tmp`, because others can put files there.
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

/** Tells whether the search ends with this folder. */
function isEnd(folder: string, home: string | null): boolean {
  return (
    folder === home || isForeign(folder) || lstatSync(join(folder, ".git"), { throwIfNoEntry: false }) !== undefined
  );
}

/** Tells whether others can put files into a folder, or it cannot be read. */
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
