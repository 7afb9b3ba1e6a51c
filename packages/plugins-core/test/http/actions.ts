import { createHttpActions } from "../../src/http/http-plugin.ts";

export const { request: requestAction, get: getAction } = createHttpActions({});
