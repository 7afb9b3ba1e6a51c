import { fstatSync, lstatSync, readFileSync, readlinkSync } from "node:fs";
import { dirname } from "node:path";

/** Write permission of group and others. */
const WRITABLE = 0o022;

interface Mount {
  readonly point: string;
  readonly isReadOnly: boolean;
  readonly type: string;
}

/** Reads the mounts of this process; empty if the system does not provide them. */
export function readMountInfo(): string {
  try {
    return readFileSync("/proc/self/mountinfo", "utf8");
  } catch {
    return "";
  }
}

/**
 * Tells whether an open key file is mounted as Kubernetes and Docker mount secrets: on a read-only mount, or on a tmpfs
 * in which others can write neither to the file nor to a folder above it up to the mount point. File and folders must
 * belong to root or to the user of this process.
 *
 * @param mountInfo as in proc_pid_mountinfo(5)
 */
export function isMountedPrivately(descriptor: number, mountInfo: string): boolean {
  try {
    const path = readlinkSync(`/proc/self/fd/${descriptor}`);
    const mount = mountOf(path, mountInfo);
    if (mount === null || !(mount.isReadOnly || mount.type === "tmpfs")) return false;
    const file = fstatSync(descriptor);
    if (!isOurs(file.uid) || (file.mode & WRITABLE) !== 0) return false;
    return foldersUpTo(dirname(path), mount.point).every((folder) => {
      const { uid, mode } = lstatSync(folder);
      return isOurs(uid) && (mount.isReadOnly || (mode & WRITABLE) === 0);
    });
  } catch {
    // No /proc, or the file was removed after it was opened.
    return false;
  }
}

function isOurs(uid: number): boolean {
  return uid === 0 || uid === process.geteuid?.();
}

/** Empty if the file itself is the mount point. */
function foldersUpTo(folder: string, mountPoint: string): string[] {
  if (!isWithin(folder, mountPoint)) return [];
  return folder === mountPoint ? [folder] : [folder, ...foldersUpTo(dirname(folder), mountPoint)];
}

/** Returns the mount of a path: the one with the longest mount point, and the last one of several on the same point. */
function mountOf(path: string, mountInfo: string): Mount | null {
  let found: Mount | null = null;
  for (const line of mountInfo.split("\n")) {
    const mount = parseMount(line);
    if (mount === null || !isWithin(path, mount.point)) continue;
    if (found === null || mount.point.length >= found.point.length) found = mount;
  }
  return found;
}

function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder === "/" ? "/" : `${folder}/`);
}

/** `36 35 98:0 /root /mount/point rw,noatime master:1 - ext3 /dev/root rw,errors=continue` */
function parseMount(line: string): Mount | null {
  const [mount = "", fileSystem = ""] = line.split(" - ");
  const [, , , , point, options = ""] = mount.split(" ");
  const [type, , superOptions = ""] = fileSystem.split(" ");
  if (point === undefined || type === undefined) return null;
  const isReadOnly = [...options.split(","), ...superOptions.split(",")].includes("ro");
  return { point: unescapeOctal(point), isReadOnly, type };
}

/** Space, tab, newline and backslash are written as `\040`. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
