export { modeOf, temporaryFolder } from "../../private-files/test/temporary-folder.ts";
