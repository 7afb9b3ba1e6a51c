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

/** A value to mask, with the name that {@link Masker.report} gives it. A plain string gets the name `secret`. */
export type MaskInput = string | NamedMaskInput;

export interface NamedMaskInput {
  readonly name: string;
  readonly value: string;
  /**
   * Whether a text that is masked already counts only for the names that it has. Set it for values that become known
   * one after the other and may be the same, or have parts in common: otherwise each makes counting slower for all.
   * Default: false, and such a text counts for all names.
   */
  readonly yields?: boolean | undefined;
}

export interface MaskerOptions {
  /** What is written instead of a value. Default: `***SECRET***`. */
  readonly placeholder?: string | undefined;
}

/** Masks the values that it knows, wherever text leaves a program. {@link createMasker} makes one. */
export interface Masker {
  /**
   * Masks these values too from now on, also in what an open stream still holds back. Use it for values that appear
   * while the program runs, such as a new access token. Empty values are skipped.
   *
   * @param values a single string counts as one value
   * @throws TypeError if a name or a value is not a string; the message contains no value
   */
  add(values: Iterable<MaskInput>): void;

  /** Returns the text with every known value replaced, or `[redaction failed]` if masking fails. Never throws. */
  mask(text: string): string;

  /**
   * Returns a copy of an object, an error or anything else in which every known value is replaced, also in keys,
   * messages and stacks, maps and bytes; `[redaction failed]` if masking fails. Use it before an object is logged or
   * serialised. Never throws, never changes its argument.
   *
   * @example
   * ```ts
   * import { createMasker } from "@autokestra/secrets-masker";
   *
   * const masker = createMasker(["s3cret-t0ken"]);
   * const request = { url: new URL("https://api.example/?key=s3cret-t0ken"), retries: 3 };
   * console.log(masker.maskValue(request)); // prints { url: 'https://api.example/?key=***SECRET***', retries: 3 }
   *
   * const error = masker.maskValue(new RangeError("bad token s3cret-t0ken", { cause: request }));
   * if (error instanceof RangeError) console.log(error.message); // prints bad token ***SECRET***
   * ```
   */
  maskValue(value: unknown): unknown;

  /**
   * Returns the bytes with every known value replaced: the same array if nothing is to be masked, otherwise a new one,
   * or `[redaction failed]` if masking fails. Never throws. Use it for bytes that are complete, such as a file or a
   * message; for a text that arrives in pieces, use {@link Masker.stream}.
   *
   * @param target receives the masked bytes, so that no memory is allocated; the part that was written is returned.
   * Ignored if it is too small or shares memory with `bytes`. Default: a new array
   *
   * @example
   * ```ts
   * import { createMasker } from "@autokestra/secrets-masker";
   *
   * const masker = createMasker(["s3cret-t0ken"]);
   * const body = new TextEncoder().encode("token=s3cret-t0ken&user=app");
   * console.log(new TextDecoder().decode(masker.maskBytes(body))); // prints token=***SECRET***&user=app
   * ```
   */
  maskBytes(bytes: Uint8Array, target?: Uint8Array): Uint8Array;

  /**
   * Opens a stream that masks bytes which arrive in pieces, also a value that is cut in two. Use one for each source:
   * in a mix of two sources, no value stays in one piece. `createMaskTransformOptions` and `createMaskTransformStream`
   * wrap it for `node:stream` and web streams.
   *
   * @example
   * ```ts
   * import { createMasker } from "@autokestra/secrets-masker";
   *
   * const stream = createMasker(["s3cret-t0ken"]).stream();
   * const [encoder, decoder] = [new TextEncoder(), new TextDecoder()];
   * const masked = [
   *   stream.push(encoder.encode("token: s3cret")),
   *   stream.push(encoder.encode("-t0ken, user: app")),
   *   stream.flush(),
   * ];
   * console.log(masked.map((bytes) => decoder.decode(bytes)).join("")); // prints token: ***SECRET***, user: app
   * ```
   */
  stream(options?: MaskStreamOptions): MaskStream;

  /**
   * Counts what is masked while `work` runs for this label, too: for a request or a task, for example.
   *
   * @example
   * ```ts
   * import { createMasker } from "@autokestra/secrets-masker";
   *
   * const masker = createMasker([{ name: "TOKEN", value: "s3cret-t0ken" }]);
   * masker.mask("before: s3cret-t0ken");
   * masker.count("request 7", () => masker.mask("the token is s3cret-t0ken"));
   * console.log(masker.report("request 7")); // prints { TOKEN: { count: 1, variants: [ 'value' ] } }
   * console.log(masker.report()); // prints { TOKEN: { count: 2, variants: [ 'value' ] } }
   * ```
   */
  count<T>(label: string, work: () => T): T;

  /**
   * Returns what has been masked so far, by name.
   *
   * @param label only what was counted for this label by {@link Masker.count}. Default: everything
   */
  report(label?: string): Record<string, MaskCount>;

  /** Returns the names, each once, with a value that is too short or too common to be masked. */
  unmaskable(): readonly string[];

  /** Forgets all values and counts. An open stream replaces what it holds back by a placeholder. */
  dispose(): void;
}

/**
 * Creates a masker, which keeps secret values out of logs in all the variants in which they are written there: as they
 * are, in JSON, in URLs, in base64 and so on. The README lists the variants, and what is not masked. Use one masker for
 * all output that can contain the values, and call `dispose` once no more output can come.
 *
 * @param values what to mask from the start. Default: nothing
 * @throws TypeError as {@link Masker.add}
 *
 * @example
 * ```ts
 * import { createMasker } from "@autokestra/secrets-masker";
 *
 * const masker = createMasker([{ name: "DB_PASSWORD", value: "correct horse battery" }]);
 * console.log(masker.mask("password=correct horse battery")); // prints password=***SECRET***
 * console.log(masker.mask(btoa("app:correct horse battery"))); // prints YXBwO***SECRET***
 * console.log(masker.report()); // prints { DB_PASSWORD: { count: 2, variants: [ 'value', 'base64' ] } }
 * masker.dispose();
 * ```
 */
export function createMasker(values: Iterable<MaskInput> = [], options: MaskerOptions = {}): Masker {
  const { placeholder = "***SECRET***" } = options;
  const rules: MaskRules = { matcher: new Matcher(), placeholder: encodeText(placeholder), tally: createTally() };
  const { matcher, tally } = rules;
  const unmaskable = new Set<string>();

  function addValue({ name, value, yields = false }: NamedMaskInput): void {
    for (const { kind, ...pattern } of variantsOf(value)) {
      if (pattern.text !== placeholder) matcher.add(pattern, { name, variant: kind }, yields);
    }
  }

  const masker: Masker = {
    add(inputs) {
      for (const input of typeof inputs === "string" ? [inputs] : inputs) {
        // JavaScript may pass anything, such as an environment variable that is not set.
        const { name, value, yields }: Partial<NamedMaskInput> =
          typeof input === "string" ? { name: "secret", value: input } : (input ?? {});
        if (typeof name !== "string" || typeof value !== "string") {
          throw new TypeError(
            "A value to mask must be a string, or an object with a name and a value that are strings",
          );
        }
        if (isMaskable(value)) addValue({ name, value, yields });
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
    count: (label, work) => tally.count(label, work),
    report: (label) => tally.report(label),
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
