import { afterAll, describe } from "vitest";
import { closeBrowser } from "./browser.ts";

// One file, and so one process with one browser: what they load and warm up costs more than what most of the tests do.
afterAll(closeBrowser);

describe("signing in", async () => void (await import("./page/sign-in.ts")));
describe("secrets", async () => void (await import("./page/secrets.ts")));
describe("runs", async () => void (await import("./page/runs.ts")));
describe("the audit log", async () => void (await import("./page/audit.ts")));
describe("screenshots", async () => void (await import("./page/screenshots.ts")));
