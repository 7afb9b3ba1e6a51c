/**
 * For authors of providers: what every provider must do, as tests, and servers that do what they are told.
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
