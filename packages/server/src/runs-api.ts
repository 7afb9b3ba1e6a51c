import {
  type Engine,
  type InputDeclaration,
  type ParsedWorkflow,
  parseWorkflow,
  WorkflowError,
} from "@autokestra/engine";
import type { RunSummary } from "@autokestra/runs";
import { isNarrowed } from "@autokestra/secrets";
import { AutokestraError } from "@autokestra/secrets-core";
import type { FastifyInstance, FastifyReply } from "fastify";
import type { z } from "zod/v4";
import { type AccessControl, forbidden } from "./access-control.ts";
import { type ApiCall, type ApiRoute, addApiRoute } from "./api-route.ts";
import { createEventStream } from "./event-stream.ts";
import { actorOf, type Principal } from "./principal.ts";
import type { EarlierRun, RunService, ServedRun, StartedBy } from "./run-service.ts";
import * as schemas from "./runs-schemas.ts";
import { emptyBodySchema } from "./schemas.ts";
import type { SecretsApiOptions } from "./secrets-api.ts";
import { createVisibleWorkflows, fileOfWorkflow, type VisibleWorkflows } from "./visible-workflows.ts";
import type { WorkflowFolder } from "./workflow-folder.ts";

/** What a server with runs has. */
export interface ServedRuns {
  readonly engine: Pick<Engine, "checkText" | "history">;
  readonly runs: RunService;
  /** The workflows that can be started by their ids. Null for none. */
  readonly workflows: WorkflowFolder | null;
}

interface Call extends ApiCall {
  readonly visible: VisibleWorkflows;
}

type Body<Schema extends z.ZodType> = z.output<Schema>;

/** Adds the routes of workflows and runs. */
export function addRunRoutes(
  app: FastifyInstance,
  access: AccessControl,
  served: ServedRuns,
  secretsFor: SecretsApiOptions["secretsFor"],
): void {
  const { runs, workflows } = served;
  const toCall = (call: ApiCall): Call => ({ ...call, visible: createVisibleWorkflows(workflows, runs, call) });
  for (const [tag, routes] of [
    ["workflows", workflowRoutes(served)],
    ["runs", runRoutes(served)],
  ] as const) {
    for (const route of routes) {
      const url = route.url === "/" ? `/api/${tag}` : `/api/${tag}${route.url}`;
      addApiRoute(app, { access, secretsFor, tag, toCall }, { ...route, url });
    }
  }
}

function workflowRoutes({ engine, runs, workflows }: ServedRuns): readonly ApiRoute<Call>[] {
  return [
    {
      method: "GET",
      url: "/",
      permission: "runs:read",
      operationId: "listWorkflows",
      summary: "List the workflows that can be started",
      answer: schemas.workflowListSchema,
      refusals: [400],
      async handle({ principal, visible }) {
        const all = (workflows?.files() ?? []).map(async (file) => {
          const isShown = file.parsed === null ? !isNarrowed(principal) : await visible.has(file.parsed);
          // What is wrong is told with lines of the file, which may name what a narrowed token may not see.
          const problem =
            file.problem !== null && isNarrowed(principal) ? "it cannot be used as it is now" : file.problem;
          return isShown ? [describeWorkflow(file.parsed, { ...file, problem }, runs)] : [];
        });
        return (await Promise.all(all)).flat();
      },
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
      async handle({ request, principal }) {
        checkText(principal);
        const { workflow } = request.body as Body<typeof schemas.checkSchema>;
        const { problems } = await engine.checkText(workflow);
        return {
          problems: problems.map(({ severity = "error", code, message, hint, position }) => ({
            severity,
            code,
            message,
            ...(hint !== undefined && { hint }),
            ...(position && { line: position.line, column: position.column }),
          })),
        };
      },
    },
  ];
}

function runRoutes({ engine: { history }, runs, workflows }: ServedRuns): readonly ApiRoute<Call>[] {
  async function find({ request, visible }: Call): Promise<ServedRun> {
    const { id } = request.params as Body<typeof schemas.runIdSchema>;
    const active = runs.active(id);
    const stored = await summaryOf(id);
    // A run that goes on again has ended before.
    const run =
      active === null || stored === null || stored.status === "running"
        ? (stored ?? active)
        : { ...stored, ...UNFINISHED, status: active.status };
    if (run === null || !(await visible.covers(run))) throw runNotFound();
    return run;
  }

  /** A run that came as text, or from elsewhere than the folder of the server, runs again for those only who may start it. */
  async function findAgain(call: Call): Promise<ServedRun & EarlierRun> {
    const run = await find(call);
    const file = await runs.fileOf(run.execution);
    if (fileOfWorkflow(workflows, run.workflow) !== (file ?? "")) checkText(call.principal);
    return { ...run, file };
  }

  async function summaryOf(id: string): Promise<RunSummary | null> {
    return (await history.list({ id, limit: 1 }))[0] ?? null;
  }

  /** A client that comes back says which event it had last. */
  async function stream({ request, reply }: Call, id: string): Promise<FastifyReply> {
    const { "last-event-id": last } = request.headers;
    const from = typeof last === "string" && /^\d{1,9}$/.test(last) ? Number(last) + 1 : 0;
    const gone = new AbortController();
    reply.raw.once("close", () => gone.abort());
    const signal = AbortSignal.any([gone.signal, runs.closing]);
    const events = createEventStream({
      ledger: history.ledger,
      id,
      from,
      isWaiting: () => runs.active(id)?.status === "queued",
      signal,
    });
    return await reply.header("x-accel-buffering", "no").type("text/event-stream").serializer(String).send(events);
  }

  return [
    {
      method: "POST",
      url: "/",
      permission: "runs:start",
      operationId: "startRun",
      summary: "Start a run. It waits where too many go on",
      headers: schemas.startHeadersSchema,
      body: schemas.startSchema,
      answer: schemas.startedSchema,
      status: 202,
      refusals: [400, 404, 409, 413, 415],
      async handle(call) {
        const { request, reply, principal } = call;
        const { workflow: named, inputs } = request.body as Body<typeof schemas.startSchema>;
        const workflow = await workflowOf(named, call);
        const key = (request.headers as Body<typeof schemas.startHeadersSchema>)["idempotency-key"];
        const { id } = await runs.start({
          workflow,
          inputs: textsOf(workflow, inputs),
          ...startedBy(call),
          // Somebody else's key is another one.
          key: key === undefined ? undefined : `${principal.kind} ${principal.id} ${key}`,
        });
        reply.header("location", `/api/runs/${id}`);
        return { execution: id, workflow: workflow.workflow.id };
      },
    },
    {
      method: "GET",
      url: "/",
      permission: "runs:read",
      operationId: "listRuns",
      summary: "List runs that have started, the newest first",
      query: schemas.runsQuerySchema,
      answer: schemas.runListSchema,
      refusals: [400],
      async handle({ request, visible }) {
        const { after, ...filter } = request.query as Body<typeof schemas.runsQuerySchema>;
        const shown: RunSummary[] = [];
        // A page is full whatever is hidden between: its last run is where the next one begins.
        for (let before = after; ; ) {
          const found = await history.list({ ...filter, before });
          for (const run of found) if (await visible.covers(run)) shown.push(run);
          before = found.at(-1)?.execution;
          if (found.length < filter.limit || shown.length >= filter.limit) return shown.slice(0, filter.limit);
        }
      },
    },
    {
      method: "GET",
      url: "/:id",
      permission: "runs:read",
      operationId: "getRun",
      summary: "Show a run without its events",
      params: schemas.runIdSchema,
      answer: schemas.runSchema,
      refusals: [400, 404],
      handle: find,
    },
    {
      method: "GET",
      url: "/:id/events",
      permission: "runs:read",
      operationId: "listEvents",
      summary: "List the events of a run, masked. With `Accept: text/event-stream`, follow it while it goes on",
      params: schemas.runIdSchema,
      answer: schemas.eventsSchema,
      refusals: [400, 404],
      async handle(call) {
        const { execution, status } = await find(call);
        const { headers } = call.request;
        if (headers.accept?.includes("text/event-stream") === true) return await stream(call, execution);
        return status === "queued" ? [] : await history.events(execution);
      },
    },
    {
      method: "POST",
      url: "/:id/resume",
      permission: "runs:start",
      operationId: "resumeRun",
      summary: "Go on with a run that was lost, has failed or was cancelled, after the last task that has finished",
      params: schemas.runIdSchema,
      body: emptyBodySchema,
      answer: schemas.startedSchema,
      status: 202,
      refusals: [400, 404, 409, 413, 415],
      async handle(call) {
        const run = await findAgain(call);
        if (run.status === "queued" || run.status === "running" || run.status === "success")
          throw cannotResume(run.status);
        runs.resume(run, startedBy(call));
        return toStarted(run);
      },
    },
    {
      method: "POST",
      url: "/:id/rerun",
      permission: "runs:start",
      operationId: "rerunRun",
      summary: "Run the workflow of a run again, as a new run with the same inputs",
      params: schemas.runIdSchema,
      body: schemas.rerunSchema,
      answer: schemas.startedSchema,
      status: 202,
      refusals: [400, 404, 409, 413, 415],
      async handle(call) {
        const run = await findAgain(call);
        if (run.status === "queued") throw cannotResume(run.status);
        const { from } = (call.request.body as Body<typeof schemas.rerunSchema>) ?? {};
        const { id: execution } = runs.rerun(run, from, startedBy(call));
        call.reply.header("location", `/api/runs/${execution}`);
        return { ...toStarted(run), execution };
      },
    },
    {
      method: "POST",
      url: "/:id/cancel",
      permission: "runs:start",
      operationId: "cancelRun",
      summary: "Cancel a run that waits or goes on",
      params: schemas.runIdSchema,
      body: emptyBodySchema,
      answer: schemas.startedSchema,
      status: 202,
      refusals: [400, 404, 409, 415],
      async handle(call) {
        const run = await find(call);
        if (!runs.cancel(run.execution)) throw notRunning();
        return toStarted(run);
      },
    },
  ];

  /** By its id; or, for those who may, the workflow itself. */
  async function workflowOf(named: string, { principal, visible }: Call): Promise<ParsedWorkflow> {
    if (/^[A-Za-z0-9_-]+$/.test(named)) {
      const workflow = await visible.get(named);
      if (workflow === null) throw new AutokestraError("NOT_FOUND", "There is no workflow with this id");
      return workflow;
    }
    checkText(principal);
    try {
      return parseWorkflow(named, "workflow");
    } catch (error) {
      if (!(error instanceof WorkflowError)) throw error;
      throw new AutokestraError("WORKFLOW_INVALID", error.message);
    }
  }
}

/** A text may name any secret and any host: that is not for a token that may not see every secret. */
function checkText(principal: Principal): void {
  if (!principal.permissions.has("runs:text") || isNarrowed(principal))
    throw forbidden(
      "The token starts workflows of the server only: text needs runs:text, and a token that is not narrowed",
    );
}

function describeWorkflow(
  parsed: ParsedWorkflow | null,
  { file, problem }: { readonly file: string; readonly problem: string | null },
  runs: RunService,
): Body<typeof schemas.workflowListSchema>[number] {
  const { id = null, enabled = false, secrets = [], inputs = {}, trigger = null } = parsed?.workflow ?? {};
  const entries = Object.entries(inputs).map(([name, input]) => [name, describeInput(input)]);
  const nextTime = id === null ? null : (runs.nextTime(id)?.toISOString() ?? null);
  return {
    id,
    file,
    enabled,
    secrets: [...secrets],
    inputs: Object.fromEntries(entries),
    trigger: trigger && { ...trigger },
    nextTime,
    problem,
  };
}

function describeInput(input: InputDeclaration): Body<typeof schemas.workflowListSchema>[number]["inputs"][string] {
  const { type, secret = false, description } = input;
  return {
    type,
    secret,
    required: !("default" in input),
    ...(description !== undefined && { description }),
    ...("default" in input && { default: input.default }),
    ...(input.enum && { enum: [...input.enum] }),
  };
}

const UNFINISHED = { cancelledBy: null, finishedAt: null, durationMs: null } as const;

function startedBy({ principal, request }: Call): StartedBy {
  return { actor: actorOf(principal, request.ip), requestId: request.id };
}

function toStarted({ execution, workflow }: ServedRun): Body<typeof schemas.startedSchema> {
  return { execution, workflow };
}

/** Inputs are given to a run as texts, as on a command line. */
function textsOf({ workflow }: ParsedWorkflow, inputs: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, value]) => {
      const isText = workflow.inputs[name]?.type !== "json" && typeof value === "string";
      return [name, isText ? value : JSON.stringify(value)];
    }),
  );
}

function runNotFound(): AutokestraError {
  return new AutokestraError("RUN_NOT_FOUND", "There is no run with this id");
}

function cannotResume(status: ServedRun["status"]): AutokestraError {
  return new AutokestraError("RUN_NOT_RESUMABLE", `The run is ${status}`, { details: {} });
}

function notRunning(): AutokestraError {
  return new AutokestraError("RUN_ENDED", "The run has ended, or goes on elsewhere: it cannot be cancelled here");
}
