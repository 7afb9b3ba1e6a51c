/**
 * What the API answers with and takes, as types for clients in TypeScript: those of the schemas that describe it.
 *
 * @module
 */
import type { WorkflowGraph } from "@autokestra/engine/internal";
import type { RecordedEvent } from "@autokestra/runs";
import type { AuditAction, Permission } from "@autokestra/secrets";
import type { z } from "zod/v4";
import type * as audit from "./audit-api.ts";
import type * as runs from "./runs-schemas.ts";
import type * as secrets from "./schemas.ts";
import type { sessionSchema } from "./session-api.ts";

export type { Problem } from "./problem.ts";
export type { AuditAction, Permission };
export type ApiSession = z.output<typeof sessionSchema>;
export type ApiSecret = z.output<typeof secrets.metadataSchema>;
export type ApiRevealedSecret = z.output<typeof secrets.revealedSchema>;
export type ApiField = z.output<typeof secrets.fieldsSchema>[number];
/** What `POST /api/secrets` takes. */
export type ApiNewSecret = z.input<typeof secrets.newSecretSchema>;
/** What `PUT /api/secrets/{id}` takes. */
export type ApiSecretChange = z.input<typeof secrets.changeSchema>;
/** The workflows that use a secret. */
export type ApiSecretUsage = z.output<typeof runs.usageSchema>;
export type ApiWorkflow = z.output<typeof runs.workflowSchema>;
/** As the engine makes it; its schema cannot say that an edge has two ends. */
export type ApiWorkflowGraph = WorkflowGraph;
export type ApiRun = z.output<typeof runs.runSchema>;
export type ApiStartedRun = z.output<typeof runs.startedSchema>;
/** Of a run, as its stream has them. */
export type ApiRunEvent = RecordedEvent;
/** Where the secrets of a run came from. */
export type ApiProvenance = z.output<typeof runs.provenanceSchema>;
export type ApiAuditRecord = z.output<typeof audit.recordSchema>;
export type ApiAuditReport = z.output<typeof audit.reportSchema>;
