import { maskBytes, maskExact, maskText } from "./adapters/mask-bytes.ts";
import { createMaskStream, type MaskStream, type MaskStreamOptions } from "./adapters/mask-stream.ts";
import { maskValue } from "./adapters/mask-value.ts";
import { failClosed, REDACTION_FAILED, redactionFailedBytes } from "./fail-closed.ts";
import { encodeText } from "./search/haystack.ts";
import { Matcher } from "./search/matcher.ts";
import type { MaskRules } from "./search/search.ts";
import { createTally, type MaskCount } from "./search/tally.ts";
import { isMaskable } from "./values/part.ts";
import { variantsOf } from "./variants/variants.ts";

/** A value to keep out of sight. The name is what {@link Masker.report} calls it; a plain string has the name `secret`. */
export type MaskInput = string | { readonly name: string; readonly value: string };

export interface MaskerOptions {
  /** What is written instead of a value, `***SECRET***` by default. */
  readonly placeholder?: string | undefined;
}

/** Values in, mask out. */
export interface Masker {
  /**
   * From now on these values are masked in all their forms, also in what an open stream still holds. An empty value is passed
   * over. One string is one value.
   *
   * @throws TypeError where a name or a value is not a string; there is no value in the message
   */
  add(values: Iterable<MaskInput>): void;

  /** The text with every known value replaced; `[redaction failed]` where that fails. Never throws. */
  mask(text: string): string;

  /**
   * A copy of any value with every known value replaced in it, also in keys, errors, maps and bytes; `[redaction failed]`
   * where that fails. Never throws, never changes its argument.
   */
  maskValue(value: unknown): unknown;

  /**
   * The bytes with every known value replaced: the very array that was given where there is none, else a new one;
   * `[redaction failed]` where that fails. Never throws. They are taken as a whole: pieces of a text belong into a stream.
   *
   * @param target where the masked bytes go, so that no memory is allocated: its beginning is given back then. Ignored where it is
   * too small or shares memory with `bytes`
   */
  maskBytes(bytes: Uint8Array, target?: Uint8Array): Uint8Array;

  /** Opens a stream of bytes. */
  stream(options?: MaskStreamOptions): MaskStream;

  /** What was masked so far, by name. */
  report(): Record<string, MaskCount>;

  /** The names with a value that is too short or too common to be masked, each once. */
  unmaskable(): readonly string[];

  /** Forgets all values and counts. What an open stream holds back at that moment comes out as a placeholder. */
  dispose(): void;
}

/**
 * Keeps values out of logs, in all the forms in which they get there.
 *
 * @param values what to mask from the start
 * @throws TypeError as {@link Masker.add}
 */
export function createMasker(values: Iterable<MaskInput> = [], options: MaskerOptions = {}): Masker {
  const { placeholder = "***SECRET***" } = options;
  const rules: MaskRules = { matcher: new Matcher(), placeholder: encodeText(placeholder), tally: createTally() };
  const { matcher, tally } = rules;
  const unmaskable = new Set<string>();

  function addValue(name: string, value: string): void {
    for (const { form, ...pattern } of variantsOf(value)) {
      if (pattern.text !== placeholder) matcher.add(pattern, { name, form });
    }
  }

  const masker: Masker = {
    add(inputs) {
      for (const input of typeof inputs === "string" ? [inputs] : inputs) {
        // From JavaScript anything may come, such as a variable of the environment that is not set.
        const { name, value }: Partial<MaskInput & object> =
          typeof input === "string" ? { name: "secret", value: input } : (input ?? {});
        if (typeof name !== "string" || typeof value !== "string") {
          throw new TypeError(
            "A value to mask must be a string, or an object with a name and a value that are strings",
          );
        }
        if (isMaskable(value)) addValue(name, value);
        else if (value !== "") unmaskable.add(name);
      }
    },
    mask: (text) => failClosed(REDACTION_FAILED, () => maskText(rules, "".concat(text))),
    maskBytes: (bytes, target) => failClosed(null, () => maskBytes(rules, bytes, target)) ?? redactionFailedBytes(),
    maskValue: (value) =>
      failClosed<unknown>(REDACTION_FAILED, () =>
        maskValue(value, {
          placeholder,
          text: (text) => maskText(rules, text),
          exact: (text) => maskExact(rules, text),
          bytes: (bytes) => Uint8Array.from(maskBytes(rules, bytes)),
        }),
      ),
    stream: (streamOptions) => createMaskStream(rules, streamOptions),
    report: () => tally.report(),
    unmaskable: () => [...unmaskable],
    dispose() {
      matcher.clear();
      tally.clear();
      unmaskable.clear();
    },
  };
  masker.add(values);
  return masker;
}
