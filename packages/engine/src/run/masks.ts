import type { MaskCount } from "@autokestra/secrets-core";
import { createMasker, type Masker } from "@autokestra/secrets-masker";
import type { RunOutput } from "./process-output.ts";
import { addCounts, type MaskedValue } from "./secret-values.ts";

/** All that is masked in a run: secrets it declares, and what becomes secret while it goes on. */
export interface RunMasks extends Pick<Masker, "mask" | "maskBytes" | "maskValue" | "stream" | "dispose"> {
  /** From now on these values are masked, also in what the process prints. */
  add(values: readonly MaskedValue[]): void;
  /** Names with a value that cannot be masked, each told once. */
  takeUnmaskable(): string[];
  report(): Record<string, MaskCount>;
}

/** @param output the run's share in what the process prints; null where that is not masked */
export function createRunMasks(output: RunOutput | null): RunMasks {
  const masker = createMasker();
  const told = new Set<string>();
  return {
    ...masker,
    add(values) {
      masker.add(values);
      output?.add(values);
    },
    takeUnmaskable() {
      const names = masker.unmaskable().filter((name) => !told.has(name));
      for (const name of names) told.add(name);
      return names;
    },
    report: () => addCounts(masker.report(), output?.report() ?? {}),
  };
}
