import type { ExternalSecretProvider } from "@autokestra/secrets-core";
import { afterAll, describe, expect, it } from "vitest";
import {
  type FaultContractOptions,
  type ProviderContractOptions,
  providerFaultContract,
  type SeenRequest,
  type SoundAnswer,
  secretProviderContract,
  startTestServer,
} from "../src/testing/index.ts";

interface ContractOptions extends Pick<ProviderContractOptions, "stored" | "missing"> {
  /** What the server answers. */
  readonly answer: (request: SeenRequest) => SoundAnswer;
  readonly open: (address: string) => ExternalSecretProvider;
}

/** The contract of providers, for one that asks a server. */
export function describeContract(title: string, { answer, open, ...secrets }: ContractOptions): void {
  describe(title, async () => {
    const server = await startTestServer(answer);
    afterAll(async () => await server.close());
    secretProviderContract({ it, expect, open: () => open(server.address), ...secrets });
  });
}

/** Of a server that says nothing: a slow machine that takes longer to ask ends with the same answer. Usual times: faults.test.ts. */
const timeoutSeconds = 0.5;

/** The contract of faults. `FIGURES=1` prints the outcome of each. */
export function describeFaults(
  title: string,
  options: Omit<FaultContractOptions, "it" | "expect" | "onFigures">,
): void {
  const onFigures = (figures: object) => void (process.env["FIGURES"] && console.log(JSON.stringify(figures)));
  describe(title, () =>
    providerFaultContract({ it, itConcurrently: it.concurrent, expect, onFigures, timeoutSeconds, ...options }),
  );
}
