import { EVERY } from "../workflow/output-path.ts";
import { openObject, secretTexts } from "./secret-texts.ts";

/** What was found in an output behind one path. */
export interface SecretOutput {
  readonly path: string;
  /** False where the output has nothing there. */
  readonly isThere: boolean;
  readonly texts: readonly string[];
}

/** What an output has behind these paths. Of an output that is one value itself, `*` is that value. */
export function findSecretOutputs(paths: readonly string[], output: unknown): SecretOutput[] {
  return paths.map((path) => {
    const found = isObject(output) ? follow(path.split("."), output) : { isThere: path === EVERY, values: [output] };
    return { path, isThere: found.isThere, texts: found.isThere ? found.values.flatMap(secretTexts) : [] };
  });
}

/** An empty list behind a `*` is there, with nothing in it. */
function follow(segments: readonly string[], output: unknown): { isThere: boolean; values: unknown[] } {
  let values = [output];
  for (const segment of segments) {
    const parts = values.filter(isObject).map(openObject);
    if (segment === EVERY && parts.length > 0 && parts.every((part) => Object.keys(part).length === 0)) {
      return { isThere: true, values: [] };
    }
    values = parts.flatMap((part) =>
      segment === EVERY ? Object.values(part) : Object.hasOwn(part, segment) ? [Reflect.get(part, segment)] : [],
    );
  }
  return { isThere: values.length > 0, values };
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
