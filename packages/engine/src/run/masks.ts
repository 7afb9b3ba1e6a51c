import { secretTexts } from "@autokestra/plugin-sdk/host";
import type { MaskCount } from "@autokestra/secrets-core";
import { createMasker, createValueFinder, isMaskable, type Masker } from "@autokestra/secrets-masker";
import type { RunOutput } from "./process-output.ts";
import { addCounts, type MaskedValue, type YieldingValue } from "./secret-values.ts";

/** Everything that is masked in a run: declared secrets, and values that become secret during the run. */
export interface RunMasks extends Pick<Masker, "mask" | "maskBytes" | "maskValue" | "stream" | "count" | "dispose"> {
  /** Masks what is secret from the start, also in printed output. Each value counts for all of its names. */
  declare(values: readonly MaskedValue[]): void;
  /**
   * Masks what becomes secret during the run. Texts that are masked already go on to count for the names that they have:
   * a run may learn the same value from each of its tasks.
   */
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
  /** The names of all values that can be masked. */
  const known = new Map<string, string>();
  const finder = createValueFinder();
  const told = new Set<string>();
  let unmaskable: string[] = [];
  let added: MaskedValue[] = [];

  function mask(values: readonly YieldingValue[]): void {
    for (const { name, value } of values) {
      if (isMaskable(value) || value === "" || told.has(name)) continue;
      told.add(name);
      unmaskable.push(name);
    }
    const fresh = values.filter(({ value, yields = false }) => isMaskable(value) && !(yields && known.has(value)));
    for (const { name, value } of fresh) {
      if (known.has(value)) continue;
      known.set(value, name);
      finder.add(value);
    }
    masker.add(fresh);
    output?.add(fresh);
  }

  function valuesIn(value: unknown): MaskedValue[] {
    return finder.find(secretTexts(value)).map((secret) => ({ name: known.get(secret) ?? "", value: secret }));
  }

  return {
    ...masker,
    declare: mask,
    add(values) {
      for (const value of values) added.push(value);
      mask(values.map((value) => ({ ...value, yields: true })));
    },
    nameOfSecretIn: (value) => valuesIn(value)[0]?.name ?? null,
    valuesIn,
    takeAdded() {
      const taken = added;
      added = [];
      return taken;
    },
    dispose() {
      added = [];
      known.clear();
      finder.clear();
      masker.dispose();
    },
    takeUnmaskable() {
      const names = unmaskable;
      unmaskable = [];
      return names;
    },
    report: (task) => addCounts(masker.report(task), output?.report(task) ?? {}),
  };
}
