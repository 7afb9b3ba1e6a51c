import { spawnSync } from "node:child_process";
import { mkdirSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const SIZE = 48 * 1024 * 1024;

/** @param {string} command @param {readonly string[]} args */
function run(command, ...args) {
  const { status, stderr } = spawnSync(command, args);
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${stderr.toString()}`);
}

/**
 * Makes a file system in a file, lets `work` use it, and gives the path of the file once it is no longer mounted.
 *
 * @template T
 * @param {string} root Where the file and the mount point are made.
 * @param {string} name
 * @param {(folder: string) => Promise<T> | T} work
 */
export async function withDiskImage(root, name, work) {
  const image = join(root, `${name}.img`);
  const folder = join(root, name);
  mkdirSync(folder);
  writeFileSync(image, "");
  truncateSync(image, SIZE);
  run("mke2fs", "-q", "-F", "-t", "ext4", image);
  run("mount", "-o", "loop", image, folder);
  try {
    return { image, result: await work(folder) };
  } finally {
    run("sync");
    run("umount", folder);
  }
}

/** Whether this machine lets us mount a file. @param {string} root */
export async function canMount(root) {
  try {
    await withDiskImage(root, "probe", () => undefined);
    return true;
  } catch (error) {
    console.log(String(error));
    return false;
  }
}
