import { configurationSchema, PROVIDER_TYPES } from "@autokestra/secrets-providers";
import { expect, it } from "vitest";
import { configJsonSchema } from "../src/index.ts";

it("schema.json is what the package and the types of providers say (`vitest -u` writes it)", async () => {
  const definitions = await Promise.all(Object.values(PROVIDER_TYPES).map(async (load) => await load()));
  const schema = configJsonSchema(definitions.map(configurationSchema));
  await expect(`${JSON.stringify(schema, null, 2)}\n`).toMatchFileSnapshot("../schema.json");
});
