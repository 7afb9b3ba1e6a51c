import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { inFolder, NODE } from "./sandbox.mjs";

/** Said to the script itself, when it runs in a mount namespace. */
const INSIDE = "--inside";
const UNSHARE = ["--mount", "--propagation", "private"];

/** Whether this process is in a mount namespace of its own. Where it is not, it must not mount anything. */
export const HAS_OWN_MOUNTS = process.argv.includes(INSIDE);

/**
 * Runs this script again in a mount namespace of its own: what it mounts there nobody else sees, and it is gone with the
 * process, however that ends.
 *
 * @param {readonly string[]} [under] A command that runs it, as `prlimit --nofile=200`.
 * @returns {boolean} False where this process is in one already, or where this machine makes none: then the script goes on.
 */
export function runWithOwnMounts(under = []) {
  const isPossible = process.geteuid?.() === 0 && spawnSync("unshare", [...UNSHARE, "true"]).status === 0;
  if (HAS_OWN_MOUNTS || !isPossible) return false;
  const script = [...under, ...NODE, ...process.argv.slice(1), INSIDE];
  const { status } = spawnSync("unshare", [...UNSHARE, ...script], { stdio: "inherit" });
  process.exitCode = status ?? 1;
  return true;
}

/** A folder whose `.workflow` is a small disk of its own. @param {(folder: string) => Promise<void>} work */
export async function onDiskOfItsOwn(work) {
  await inFolder(async (folder) => {
    const disk = join(folder, ".workflow");
    mkdirSync(disk);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=2m,nr_inodes=60,mode=0700", "tmpfs", disk]);
    try {
      await work(folder);
    } finally {
      execFileSync("umount", ["--lazy", disk]);
    }
  });
}
