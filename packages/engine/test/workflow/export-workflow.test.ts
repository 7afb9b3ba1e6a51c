import { expect, it } from "vitest";
import { exportWorkflow, parseWorkflow } from "../../src/index.ts";

it("lists each declared secret with its type, fields and references, and keeps the references as they are", () => {
  const parsed = parseWorkflow(
    `apiVersion: v1
id: w
secrets: [DB, TOKEN, UNUSED]
tasks:
  - id: a
    type: core/console.log
    inputs: { message: "{{ secrets.DB.username }}:{{secrets.DB.password}} {{ secrets.TOKEN }} {{ secrets.DB.username }}" }
`,
    "w.yaml",
  );
  const exported = exportWorkflow(parsed, new Map([["DB", "basicAuth"]]));
  expect(exported.workflow).toBe(parsed.workflow);
  expect(exported.secrets).toEqual([
    {
      name: "DB",
      type: "basicAuth",
      fields: ["password", "username"],
      references: ["secrets.DB.password", "secrets.DB.username"],
    },
    { name: "TOKEN", type: null, fields: [], references: ["secrets.TOKEN"] },
    { name: "UNUSED", type: null, fields: [], references: [] },
  ]);
});
