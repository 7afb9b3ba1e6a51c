import type { Masker } from "../masker.ts";
import type { MaskStreamOptions } from "./mask-stream.ts";

/**
 * Creates a web `TransformStream` that masks the bytes which pass through it, such as the body of a response. It holds
 * back what could still become a value until more bytes or the end arrive, without a time limit. Use one for each
 * source: in a mix of two sources, no value stays in one piece.
 *
 * @example
 * ```ts
 * import { createMasker, createMaskTransformStream } from "@autokestra/secrets-masker";
 *
 * const masker = createMasker(["s3cret-t0ken"]);
 * const { body } = new Response("token: s3cret-t0ken");
 * const masked = new Response(body?.pipeThrough(createMaskTransformStream(masker)));
 * console.log(await masked.text()); // prints token: ***SECRET***
 * ```
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

/** Options for the constructor of `Transform` from `node:stream`. */
export interface MaskTransformOptions {
  transform(chunk: Uint8Array, encoding: string, done: Done): void;
  flush(done: Done): void;
}

/**
 * Creates the options of a Node.js `Transform` that masks the bytes which pass through it, for example between a child
 * process and a log. It works on bytes: a string that is written to it is encoded first. It holds back what could still
 * become a value until more bytes or the end arrive, without a time limit. Use one for each source: in a mix of two
 * sources, no value stays in one piece.
 *
 * @example
 * ```ts
 * import { spawn } from "node:child_process";
 * import { Transform } from "node:stream";
 * import { createMasker, createMaskTransformOptions } from "@autokestra/secrets-masker";
 *
 * const masker = createMasker(["s3cret-t0ken"]);
 * const child = spawn("echo", ["token: s3cret-t0ken"], { stdio: ["ignore", "pipe", "inherit"] });
 * const masked = child.stdout.pipe(new Transform(createMaskTransformOptions(masker)));
 * masked.pipe(process.stdout); // prints token: ***SECRET***
 * ```
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
