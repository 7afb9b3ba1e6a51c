import { secretTexts } from "@autokestra/plugin-sdk/host";
import type { MaskCount } from "@autokestra/secrets-core";
import { createMasker, isMaskable, type Masker } from "@autokestra/secrets-masker";
import type { RunOutput } from "./process-output.ts";
import { addCounts, type MaskedValue } from "./secret-values.ts";

/** Everything that is masked in a run: declared secrets, and values that become secret during the run. */
export interface RunMasks extends Pick<Masker, "mask" | "maskBytes" | "maskValue" | "stream" | "count" | "dispose"> {
  /** Masks these values from now on, also in printed output. */
  add(values: readonly MaskedValue[]): void;
  /** The name of a secret value that is in this value; null if none is. Counts nothing. */
  nameOfSecretIn(value: unknown): string | null;
  /** The secret values that are in this value as they are. Counts nothing. */
  valuesIn(value: unknown): MaskedValue[];
  /** What has become secret since the last call. */
  takeAdded(): MaskedValue[];
  /** Names with a value that cannot be masked. Each name is returned once. */
  takeUnmaskable(): string[];
  /** @param task what was masked for a task, or for an item of one. Default: everything */
  report(task?: string): Record<string, MaskCount>;
}

/**
 * @param output the printed output of the run; null if it is not masked
 * @param placeholder what is shown for a secret. Default: `***SECRET***`
 */
export function createRunMasks(output: RunOutput | null, placeholder?: string): RunMasks {
  const masker = createMasker([], { placeholder });
  const told = new Set<string>();
  /** The names of all values. */
  const known = new Map<string, string>();
  let added: MaskedValue[] = [];
  return {
    ...masker,
    add(values) {
      for (const { name, value } of values) if (isMaskable(value) && !known.has(value)) known.set(value, name);
      added.push(...values);
      masker.add(values);
      output?.add(values);
    },
    nameOfSecretIn(value) {
      const texts = secretTexts(value);
      for (const [secret, name] of known) if (texts.some((text) => text.includes(secret))) return name;
      return null;
    },
    valuesIn(value) {
      const texts = secretTexts(value);
      const found = [...known].filter(([secret]) => texts.some((text) => text.includes(secret)));
      return found.map(([secret, name]) => ({ name, value: secret }));
    },
    takeAdded() {
      const taken = added;
      added = [];
      return taken;
    },
    dispose() {
      added = [];
      known.clear();
      masker.dispose();
    },
    takeUnmaskable() {
      const names = masker.unmaskable().filter((name) => !told.has(name));
      for (const name of names) told.add(name);
      return names;
    },
    report: (task) => addCounts(masker.report(task), output?.report(task) ?? {}),
  };
}
