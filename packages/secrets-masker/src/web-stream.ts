import type { MaskStreamOptions } from "./mask-stream.ts";
import type { Masker } from "./masker.ts";

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
