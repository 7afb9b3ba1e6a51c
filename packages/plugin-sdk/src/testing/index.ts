/**
 * Runs actions in tests, without an engine.
 *
 * @module
 */
export {
  type ActionRun,
  createTestContext,
  type LogLine,
  type MaskedLine,
  runAction,
  type TestContext,
  type TestContextOptions,
} from "./test-context.ts";
