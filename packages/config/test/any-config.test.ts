import { assert, constantFrom, dictionary, jsonValue, oneof, property, string } from "fast-check";
import { expect, it } from "vitest";
import { parseConfig } from "../src/index.ts";
import { FileError } from "../src/yaml.ts";

const KEYS = ["storage", "providers", "sources", "secrets", "path", "type", "env", "provider", "lease", "fields"];

it("whatever a file holds, it is read or refused with places", () => {
  const keys = oneof(constantFrom(...KEYS), string());
  const file = dictionary(
    keys,
    oneof(jsonValue(), dictionary(keys, oneof(jsonValue(), dictionary(keys, jsonValue())))),
  );
  assert(
    property(oneof(file, jsonValue()), (content) => {
      try {
        parseConfig(JSON.stringify(content), "/autokestra.config.json");
      } catch (error) {
        expect(error).toBeInstanceOf(FileError);
      }
    }),
    { endOnFailure: true },
  );
});
