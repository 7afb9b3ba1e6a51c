/**
 * Run an action in a test, without an engine.
 *
 * @module
 */
export { type ActionRun, runAction } from "./run-action.ts";
export {
  createTestContext,
  type LogLine,
  type MaskedLine,
  type TestContext,
  type TestContextOptions,
} from "./test-context.ts";
