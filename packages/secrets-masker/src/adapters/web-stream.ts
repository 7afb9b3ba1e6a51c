import type { Masker } from "../masker.ts";
import type { MaskStreamOptions } from "./mask-stream.ts";

/**
 * A transform stream of the web, bytes in and masked bytes out: `response.body.pipeThrough(…)`. What could still become a value
 * waits for more bytes or the end, never for a time. Each source needs one of its own: where two are mixed, neither's values stay
 * together.
 */
export function createMaskTransformStream(
  masker: Pick<Masker, "stream">,
  options?: MaskStreamOptions,
): TransformStream<Uint8Array, Uint8Array> {
  const stream = masker.stream(options);
  const enqueue = (bytes: Uint8Array, to: TransformStreamDefaultController<Uint8Array>) => {
    if (bytes.length > 0) to.enqueue(bytes);
  };
  return new TransformStream({
    transform(chunk, controller) {
      enqueue(stream.push(chunk), controller);
    },
    flush(controller) {
      enqueue(stream.flush(), controller);
    },
  });
}

type Done = (error: null, bytes: Uint8Array) => void;

/** What the constructor of Node's `Transform` takes. */
export interface MaskTransformOptions {
  transform(chunk: Uint8Array, encoding: string, done: Done): void;
  flush(done: Done): void;
}

/**
 * The options of a `Transform` of node:stream, bytes in and masked bytes out, to stand between a child process and the log:
 * `child.stdout.pipe(new Transform(createMaskTransformOptions(masker)))`. Text that is written to it counts as the bytes of its
 * encoding. What could still become a value waits for more bytes or the end, never for a time. Each source needs one of its own:
 * where two are mixed, neither's values stay together.
 */
export function createMaskTransformOptions(
  masker: Pick<Masker, "stream">,
  options?: MaskStreamOptions,
): MaskTransformOptions {
  const stream = masker.stream(options);
  return {
    transform(chunk, _encoding, done) {
      done(null, stream.push(chunk));
    },
    flush(done) {
      done(null, stream.flush());
    },
  };
}
