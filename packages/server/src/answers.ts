import type { Permission } from "@autokestra/secrets";
import type { z } from "zod/v4";
import type * as runs from "./runs-schemas.ts";
import type * as secrets from "./schemas.ts";

// What the API answers with, as types for clients in TypeScript: of the schemas that describe it.

export type ApiSecret = z.output<typeof secrets.metadataSchema>;
export type ApiRevealedSecret = z.output<typeof secrets.revealedSchema>;
/** What `PUT` takes. */
export type ApiSecretChange = z.input<typeof secrets.changeSchema>;
/** What `POST` takes. */
export type ApiNewSecret = z.input<typeof secrets.newSecretSchema>;
export type ApiRun = z.output<typeof runs.runSchema>;
export type ApiStartedRun = z.output<typeof runs.startedSchema>;
export type ApiWorkflow = z.output<typeof runs.workflowListSchema>[number];
export type { Permission };
