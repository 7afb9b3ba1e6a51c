/**
 * Runs actions in tests, without an engine.
 *
 * @module
 */
export { type CleanRun, expectNoLeak, type Leak, LeakError } from "./expect-no-leak.ts";
export { type FakeClock, startFakeClock } from "./fake-clock.ts";
export { type FakeAnswer, type FakeServer, type ReceivedRequest, startFakeServer } from "./fake-server.ts";
export {
  type ActionRun,
  createTestContext,
  type LogLine,
  type MaskedLine,
  runAction,
  type TestContext,
  type TestContextOptions,
} from "./test-context.ts";
