import { drawWorkflow, type GraphFormat, type InputDeclaration, type ParsedWorkflow } from "@autokestra/engine";
import { tasksBySecret, workflowGraph } from "@autokestra/engine/internal";
import { isNarrowed } from "@autokestra/secrets";
import { AutokestraError } from "@autokestra/secrets-core";
import type { FastifyRequest } from "fastify";
import type { z } from "zod/v4";
import type { ApiRoute } from "./api-route.ts";
import type { RunService } from "./run-service.ts";
import * as schemas from "./runs-schemas.ts";
import { idSchema } from "./schemas.ts";
import { checkText, type RunCall } from "./visible-workflows.ts";
import { type ToldProblem, toldProblem } from "./workflow-checks.ts";
import type { WorkflowFile } from "./workflow-folder.ts";

/** The media types of pictures. */
const GRAPH_TYPES = { svg: "image/svg+xml", mermaid: "text/vnd.mermaid" } as const satisfies Record<
  GraphFormat,
  string
>;

/** The routes below `/api/workflows`. */
export const WORKFLOW_ROUTES: readonly ApiRoute<RunCall>[] = [
  {
    method: "GET",
    url: "/",
    permission: "runs:read",
    operationId: "listWorkflows",
    summary: "List the workflows that can be started",
    answer: schemas.workflowListSchema,
    refusals: [400],
    handle: listWorkflows,
  },
  {
    method: "GET",
    url: "/:id",
    permission: "runs:read",
    operationId: "getWorkflow",
    summary: "Show what a workflow takes, which secrets it may use, and what starts it",
    params: schemas.workflowIdSchema,
    answer: schemas.workflowSchema,
    refusals: [400, 404],
    handle: async (call) => await describeWorkflow(call, (await findWorkflow(call)).file),
  },
  {
    method: "GET",
    url: "/:id/graph",
    permission: "runs:read",
    operationId: "drawWorkflow",
    summary: "Draw the tasks of a workflow, and of those that it calls. A picture has no value",
    params: schemas.workflowIdSchema,
    query: schemas.graphQuerySchema,
    answer: schemas.graphSchema,
    texts: [GRAPH_TYPES.svg, GRAPH_TYPES.mermaid],
    refusals: [400, 404],
    handle: drawGraph,
  },
  {
    method: "POST",
    url: "/check",
    permission: "runs:text",
    operationId: "checkWorkflow",
    summary: "Find what is wrong with a workflow, without running it",
    body: schemas.checkSchema,
    answer: schemas.reportSchema,
    refusals: [400, 413, 415],
    handle: checkWorkflow,
  },
];

/** The routes below `/api/secrets` that a server with workflows has. */
export const USAGE_ROUTES: readonly ApiRoute<RunCall>[] = [
  {
    method: "GET",
    url: "/:id/usage",
    permission: "secrets:read",
    operationId: "listSecretUsers",
    summary: "List the workflows of the server that use a secret, with their tasks",
    params: idSchema,
    answer: schemas.usageSchema,
    refusals: [400, 404],
    handle: listSecretUsers,
  },
];

type DescribedWorkflow = z.output<typeof schemas.workflowSchema>;

async function listWorkflows(call: RunCall): Promise<readonly DescribedWorkflow[]> {
  const { principal, visible, served } = call;
  const all = (served.workflows?.files() ?? []).map(async (file) => {
    const isShown = file.parsed === null ? !isNarrowed(principal) : await visible.has(file.parsed);
    return isShown ? [await describeWorkflow(call, file)] : [];
  });
  return (await Promise.all(all)).flat();
}

async function drawGraph(call: RunCall): Promise<object> {
  const { request, reply } = call;
  const { parsed } = await findWorkflow(call);
  const { format = acceptedFormat(request) } = request.query as z.output<typeof schemas.graphQuerySchema>;
  reply.header("vary", "Accept");
  if (format === "json") return await workflowGraph(parsed);
  return await reply
    .type(`${GRAPH_TYPES[format]}; charset=utf-8`)
    .serializer(String)
    .send(await drawWorkflow(parsed, format));
}

async function checkWorkflow({ request, principal, served }: RunCall): Promise<z.output<typeof schemas.reportSchema>> {
  checkText(principal);
  const { workflow } = request.body as z.output<typeof schemas.checkSchema>;
  const { problems } = await served.engine.checkText(workflow);
  return { problems: problems.map(toldProblem) };
}

async function listSecretUsers(call: RunCall): Promise<z.output<typeof schemas.usageSchema>> {
  const { request, found, visible, served } = call;
  const { name } = await found.byId((request.params as z.output<typeof idSchema>).id);
  const users = (served.workflows?.files() ?? []).map(async ({ file, parsed }) => {
    if (parsed === null || !(await visible.has(parsed))) return [];
    const tasks = (await tasksBySecret(parsed)).get(name);
    return tasks === undefined ? [] : [{ workflow: parsed.workflow.id, file, tasks: [...tasks] }];
  });
  return (await Promise.all(users)).flat();
}

/** The workflow that a call names: one that its caller may not see is not found. */
async function findWorkflow(call: RunCall): Promise<{ file: WorkflowFile; parsed: ParsedWorkflow }> {
  const { request, visible, served } = call;
  const { id } = request.params as z.output<typeof schemas.workflowIdSchema>;
  const parsed = await visible.get(id);
  const file = served.workflows?.files().find((one) => one.parsed === parsed);
  if (parsed === null || file === undefined) throw workflowNotFound();
  return { file, parsed };
}

async function describeWorkflow({ principal, served }: RunCall, workflow: WorkflowFile): Promise<DescribedWorkflow> {
  const { file, parsed, problem } = workflow;
  const problems = await served.checks.problemsOf(workflow);
  // What is wrong is told with lines of the file, which may name what a narrowed token may not see.
  const told = isNarrowed(principal)
    ? { problem: problem && "it cannot be used as it is now", problems: problems.map(withoutDetails) }
    : { problem, problems: [...problems] };
  return { ...describeContent(parsed, served.runs), file, ...told };
}

/** JSON, unless a picture is asked for. */
function acceptedFormat({ headers: { accept = "" } }: FastifyRequest): GraphFormat | "json" {
  if (accept.includes(GRAPH_TYPES.svg)) return "svg";
  return accept.includes(GRAPH_TYPES.mermaid) ? "mermaid" : "json";
}

export function workflowNotFound(): AutokestraError {
  return new AutokestraError("NOT_FOUND", "There is no workflow with this id");
}

function withoutDetails({ severity, code }: ToldProblem): ToldProblem {
  return { severity, code, message: "A token that is not narrowed gets the details" };
}

function describeContent(
  parsed: ParsedWorkflow | null,
  runs: RunService,
): Omit<DescribedWorkflow, "file" | "problem" | "problems"> {
  const { id = null, enabled = false, secrets = [], inputs = {}, trigger = null } = parsed?.workflow ?? {};
  const entries = Object.entries(inputs).map(([name, input]) => [name, describeInput(input)]);
  const nextTime = id === null ? null : (runs.nextTime(id)?.toISOString() ?? null);
  return {
    id,
    enabled,
    secrets: [...secrets],
    inputs: Object.fromEntries(entries),
    trigger: trigger && { ...trigger },
    nextTime,
  };
}

function describeInput(input: InputDeclaration): z.output<typeof schemas.inputSchema> {
  const { secret = false, enum: allowed, ...declared } = input;
  return { ...declared, secret, required: !("default" in input), ...(allowed && { enum: [...allowed] }) };
}
