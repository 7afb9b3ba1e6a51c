/**
 * Files and folders that only their owner can read.
 *
 * @module
 */
export { closeToOthers } from "./close-to-others.ts";
export { buildInPrivateFolder, createPrivateFile } from "./create-private-file.ts";
export { draftPath, sweepDeadDrafts, sweepDrafts } from "./draft.ts";
export { fileIdentity } from "./file-identity.ts";
export { keepBackup } from "./keep-backup.ts";
export { withLockFile } from "./lock-file.ts";
export { moveFile } from "./move-file.ts";
export { withOpenFile } from "./open-file.ts";
export { OTHERS } from "./permission.ts";
export { checkFolder, checkPrivateFile } from "./private-file.ts";
export { makePrivateFolder, preparePrivateFolder } from "./private-folder.ts";
export { readBytes, readText } from "./read-text.ts";
export type { Refuse } from "./refuse.ts";
export { replacePrivateFile } from "./replace-private-file.ts";
export { syncFile, syncFolder } from "./sync-folder.ts";
export { systemReason } from "./system-error.ts";
