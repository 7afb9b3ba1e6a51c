export { modeOf, temporaryFolder } from "../../secrets-files/test/temporary-folder.ts";
