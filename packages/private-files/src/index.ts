/**
 * Writes, reads and checks files and folders that only their owner can read.
 *
 * @module
 */

export {
  buildInPrivateFolder,
  createPrivateFile,
  keepBackup,
  moveFile,
  replacePrivateFile,
} from "./atomic-file.ts";
export { withLockFile } from "./lock-file.ts";
export type { Refuse } from "./private-file.ts";
export {
  checkFolder,
  checkPrivateFile,
  fileIdentity,
  GROUP_AND_OTHERS,
  pathExists,
  readBytes,
  readText,
  restrictToOwner,
  withOpenFile,
} from "./private-file.ts";
export { makePrivateFolder, preparePrivateFolder } from "./private-folder.ts";
export { realPath } from "./real-path.ts";
export { streamPrivateFile } from "./streamed-file.ts";
export { systemReason } from "./system-error.ts";
export { sweepDeadTemporaryFiles, sweepTemporaryFiles, syncFile, syncFolder, temporaryPath } from "./temporary-file.ts";
export { homeFolder, trustedFolders } from "./trusted-folders.ts";
