import type { MaskCount } from "@autokestra/secrets-core";
import { createMasker, type Masker } from "@autokestra/secrets-masker";
import type { RunOutput } from "./process-output.ts";
import { addCounts, type MaskedValue } from "./secret-values.ts";

/** Everything that is masked in a run: declared secrets, and values that become secret during the run. */
export interface RunMasks extends Pick<Masker, "mask" | "maskBytes" | "maskValue" | "stream" | "dispose"> {
  /** Masks these values from now on, also in printed output. */
  add(values: readonly MaskedValue[]): void;
  /** Names with a value that cannot be masked. Each name is returned once. */
  takeUnmaskable(): string[];
  report(): Record<string, MaskCount>;
}

/**
 * @param output the printed output of the run; null if it is not masked
 * @param placeholder what is shown for a secret. Default: `***SECRET***`
 */
export function createRunMasks(output: RunOutput | null, placeholder?: string): RunMasks {
  const masker = createMasker([], { placeholder });
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
