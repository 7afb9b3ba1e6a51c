import { chmodSync, chownSync, closeSync, lchownSync, mkdirSync, openSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { readKeyFile } from "../../src/key-source/key-file.ts";
import { isMountedPrivately, readMountInfo } from "../../src/key-source/mounted-key.ts";
import { temporaryFolder, writeKey } from "./key-folder.ts";

const isRoot = process.geteuid?.() === 0;
const ROOT = "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw";

let folder: string;
let link: string;
let target: string;

/** As Kubernetes lays out a secret: the names lead through a link to the folder of the day. */
beforeEach(() => {
  folder = join(temporaryFolder(), "secrets");
  mkdirSync(join(folder, "..2026_01_01"), { recursive: true });
  mode(0o1777, folder);
  symlinkSync("..2026_01_01", join(folder, "..data"));
  link = join(folder, "key");
  symlinkSync("..data/key", link);
  target = writeKey(join(folder, "..2026_01_01", "key"));
});

function mode(bits: number, path = target): void {
  chmodSync(path, bits);
}

function mount(type: string, options: string, point = folder, superOptions = "rw"): string {
  return `${ROOT}\n50 27 0:40 / ${point} ${options},relatime shared:7 - ${type} tmpfs ${superOptions}`;
}

function read(path: string, mountInfo: string): { notices: string[]; outcome: string } {
  const notices: string[] = [];
  try {
    const key = readKeyFile(path, { mountInfo, onNotice: (text) => notices.push(text) });
    return { notices, outcome: key?.kind ?? "none" };
  } catch (error) {
    return { notices, outcome: error instanceof Error ? error.message.replace(`The key file ${path} `, "") : "" };
  }
}

const notice = () => [`others can read the mounted key file ${link}`];
const sealed = () => mode(0o755, folder);

describe("KP4: a link to a mounted key is followed", () => {
  it.each([
    ["read-only, 0444", () => mode(0o444), () => mount("tmpfs", "ro"), true],
    ["read-only, 0440", () => mode(0o440), () => mount("tmpfs", "ro"), true],
    ["read-only, 0400", () => mode(0o400), () => mount("tmpfs", "ro"), false],
    ["read-only as a file system", () => mode(0o444), () => mount("ext4", "rw", folder, "ro,errors=continue"), true],
    ["a tmpfs where only we write", (): unknown => [mode(0o444), sealed()], () => mount("tmpfs", "rw"), true],
    ["mounted over", () => mode(0o444), () => `${mount("ext4", "rw")}\n${mount("tmpfs", "ro")}`, true],
    [
      "the file is the mount point",
      (): unknown => [mode(0o444), mode(0o777, dirname(target))],
      () => mount("tmpfs", "rw", target),
      true,
    ],
  ] as const)("%s", (_, arrange, mountInfo, isNotice) => {
    arrange();
    expect(read(link, mountInfo())).toEqual({ outcome: "bytes", notices: isNotice ? notice() : [] });
  });

  it("a name with spaces, as mountinfo writes it", () => {
    const spaced = join(temporaryFolder(), "a b");
    mkdirSync(spaced);
    const key = writeKey(join(spaced, "key"), undefined, 0o444);
    expect(read(key, mount("tmpfs", "ro", spaced.replace(" ", "\\040"))).outcome).toBe("bytes");
  });
});

describe("KP4: a link to any other place is refused", () => {
  it.each([
    ["a world-writable tmpfs, such as /tmp", () => mode(0o444), (): string => mount("tmpfs", "rw")],
    [
      "a tmpfs with a folder that a group can write to",
      (): unknown => [sealed(), mode(0o775, dirname(target))],
      () => mount("tmpfs", "rw"),
    ],
    [
      "a tmpfs with a file that others can write to",
      (): unknown => [sealed(), mode(0o602)],
      () => mount("tmpfs", "rw"),
    ],
    ["a file that a group can write to", () => mode(0o460), () => mount("tmpfs", "ro")],
    ["another file system", (): unknown => [sealed(), mode(0o400)], () => mount("ext4", "rw")],
    ["no mount that is known", () => mode(0o400), (): string => ""],
    [
      "another mount below the read-only one",
      () => mode(0o400),
      () => `${mount("tmpfs", "ro")}\n${mount("ext4", "rw", dirname(target))}`,
    ],
    ["a mount whose name only begins so", () => mode(0o400), () => mount("tmpfs", "ro", folder.slice(0, -1))],
    ["a link in a folder where everybody can replace it", () => mode(0o777, folder), () => mount("tmpfs", "ro")],
  ] as const)("%s", (_, arrange, mountInfo) => {
    arrange();
    expect(read(link, mountInfo()).outcome).toMatch(/^(is a symbolic link|lies in a folder that everybody)/);
  });

  it("a link to nothing", () => {
    symlinkSync("nothing", join(folder, "dangling"));
    expect(read(join(folder, "dangling"), mount("tmpfs", "ro")).outcome).toBe("is a symbolic link");
  });

  it.runIf(isRoot).each([
    ["the file", () => chownSync(target, 65534, 65534)],
    ["its folder", () => chownSync(dirname(target), 65534, 65534)],
    ["the folder of the mount point", () => chownSync(folder, 65534, 65534)],
    ["the link", () => lchownSync(link, 65534, 65534)],
  ])("%s of another user", (_, arrange) => {
    arrange();
    expect(read(link, mount("tmpfs", "ro")).outcome).toBe("is a symbolic link");
  });
});

describe("KP4: a file without a link", () => {
  it.each([
    [0o444, "ro", "bytes"],
    [0o440, "ro", "bytes"],
    [0o444, "rw", "can be read by others"],
  ])("of mode %o on a mount that is %s: %s", (bits, options, outcome) => {
    mode(bits);
    expect(read(target, mount("tmpfs", options)).outcome).toBe(outcome);
  });
});

it("the mounts of this process are read, and tell nothing good of a temporary folder", () => {
  expect(readMountInfo()).toContain(" / ");
  const descriptor = openSync(target, "r");
  try {
    expect(isMountedPrivately(descriptor, readMountInfo())).toBe(false);
  } finally {
    closeSync(descriptor);
  }
});
