export { bundleScript, run } from "./child-process.ts";
export { installPluginSdk } from "./plugin-sdk.ts";
export { listen } from "./server.ts";
export { modeOf, sharedFolder, temporaryFolder } from "./temporary-folder.ts";
export { inTerminal, type Step, type TerminalResult } from "./terminal.ts";
