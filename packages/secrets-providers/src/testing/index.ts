/**
 * For authors of providers: tests of what every provider must do, and servers that answer as configured, with faults.
 *
 * @module
 */
export { type FaultContractOptions, type FaultFigures, providerFaultContract } from "./fault-contract.ts";
export {
  CANARY,
  type Fault,
  type SeenRequest,
  type SoundAnswer,
  selfSigned,
  startFaultServer,
  startTestServer,
  type TestServer,
} from "./fault-server.ts";
export { type Expect, type It, type ProviderContractOptions, secretProviderContract } from "./provider-contract.ts";
