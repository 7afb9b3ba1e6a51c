import { type ParsedWorkflow, parseWorkflow, WorkflowError } from "@autokestra/engine";
import { type ListedRun, listedAsQueued, type RecordedEvent, secretsOfRun } from "@autokestra/runs";
import { AutokestraError } from "@autokestra/secrets-core";
import type { FastifyInstance, FastifyReply } from "fastify";
import type { z } from "zod/v4";
import type { AccessControl } from "./access-control.ts";
import { type ApiCall, type ApiRoute, addApiRoute, linksTo } from "./api-route.ts";
import { createEventList, createEventStream } from "./event-stream.ts";
import { findRun, findRunAgain, isWaiting } from "./found-runs.ts";
import { actorOf } from "./principal.ts";
import type { StartedBy } from "./run-job.ts";
import type { ServedRuns } from "./run-service.ts";
import * as schemas from "./runs-schemas.ts";
import { emptyBodySchema } from "./schemas.ts";
import type { SecretsApiOptions } from "./secrets-api.ts";
import { checkText, type RunCall, toRunCall } from "./visible-workflows.ts";
import { createWorkflowChecks } from "./workflow-checks.ts";
import { USAGE_ROUTES, WORKFLOW_ROUTES, workflowNotFound } from "./workflows-api.ts";

/** Adds the routes of workflows and runs. */
export function addRunRoutes(
  app: FastifyInstance,
  access: AccessControl,
  served: ServedRuns,
  secretsFor: SecretsApiOptions["secretsFor"],
): void {
  const parts = { ...served, access, checks: createWorkflowChecks(served.engine) };
  const toCall = (call: ApiCall) => toRunCall(parts, call);
  for (const [tag, base, routes] of [
    ["workflows", "/api/workflows", WORKFLOW_ROUTES],
    ["secrets", "/api/secrets", USAGE_ROUTES],
    ["runs", "/api/runs", RUN_ROUTES],
  ] as const) {
    for (const route of routes) {
      addApiRoute(
        app,
        { access, secretsFor, tag, toCall },
        { ...route, url: route.url === "/" ? base : base + route.url },
        route.status === 202 ? { links: { 202: LINKS } } : {},
      );
    }
  }
}

/** The calls that take the id of a run that was started. */
const LINKS = linksTo("execution", ["getRun", "listEvents", "listRunSecrets", "cancelRun", "resumeRun", "rerunRun"]);

/** The routes below `/api/runs`. */
const RUN_ROUTES: readonly ApiRoute<RunCall>[] = [
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
    refusals: [400, 404, 409, 413, 415, 422],
    handle: startRun,
  },
  {
    method: "GET",
    url: "/",
    permission: "runs:read",
    operationId: "listRuns",
    summary: "List runs that have started, the newest first; or those that wait, in their order",
    query: schemas.runsQuerySchema,
    answer: schemas.runListSchema,
    refusals: [400],
    handle: listRuns,
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
    handle: findRun,
  },
  {
    method: "GET",
    url: "/:id/events",
    permission: "runs:read",
    operationId: "listEvents",
    summary: "List the events of a run, masked. With `Accept: text/event-stream`, follow it while it goes on",
    params: schemas.runIdSchema,
    answer: schemas.eventsSchema,
    texts: ["text/event-stream"],
    refusals: [400, 404],
    handle: listEvents,
  },
  {
    method: "GET",
    url: "/:id/secrets",
    permission: "runs:read",
    operationId: "listRunSecrets",
    summary: "Tell where the secrets of a run came from, which tasks used them, and how often they were masked",
    params: schemas.runIdSchema,
    answer: schemas.provenanceSchema,
    refusals: [400, 404],
    handle: listRunSecrets,
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
    handle: resumeRun,
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
    handle: rerunRun,
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
    handle: cancelRun,
  },
];

type StartedRun = z.output<typeof schemas.startedSchema>;

async function startRun(call: RunCall): Promise<StartedRun> {
  const { request, reply, principal, served } = call;
  const { workflow: named, inputs } = request.body as z.output<typeof schemas.startSchema>;
  const workflow = await workflowOf(named, call);
  const key = (request.headers as z.output<typeof schemas.startHeadersSchema>)["idempotency-key"];
  const { id } = await served.runs.start({
    workflow,
    inputs: textsOf(workflow, inputs),
    ...startedBy(call),
    // Somebody else's key is another one. The subject of a JWT may have any characters.
    key: key === undefined ? undefined : JSON.stringify([principal.kind, principal.id, key]),
    isKeyOfRequest: true,
  });
  reply.header("location", `/api/runs/${id}`);
  return { execution: id, workflow: workflow.workflow.id };
}

async function listRuns({ request, visible, served }: RunCall): Promise<readonly ListedRun[]> {
  const { history, queued } = served.engine;
  const { after, status, ...filter } = request.query as z.output<typeof schemas.runsQuerySchema>;
  const shown: ListedRun[] = [];
  if (status === "queued") {
    const waiting = (await queued.list(filter.workflow)).map(listedAsQueued);
    for (const run of waiting) if (await visible.covers(run)) shown.push(run);
    return shown.slice(0, filter.limit);
  }
  // A page is full whatever is hidden between: its last run is where the next one begins.
  for (let before = after; ; ) {
    const found = await history.list({ ...filter, status, before });
    for (const run of found) if (await visible.covers(run)) shown.push(run);
    before = found.at(-1)?.execution;
    if (found.length < filter.limit || shown.length >= filter.limit) return shown.slice(0, filter.limit);
  }
}

async function listEvents(call: RunCall): Promise<FastifyReply> {
  const { execution, status } = await findRun(call);
  const { headers, method } = call.request;
  const isLive = headers.accept?.includes("text/event-stream") === true;
  const reply = call.reply.type(isLive ? "text/event-stream" : "application/json; charset=utf-8").serializer(String);
  // A stream whose end nobody sees would go on behind the answer.
  if (method === "HEAD") return await reply.send("");
  if (isLive) return await streamEvents(call, execution);
  const { history } = call.served.engine;
  return await reply.send(status === "queued" ? "[]" : createEventList(history.iterateEvents(execution)));
}

/** A client that comes back says which event it had last. */
async function streamEvents({ request, reply, served }: RunCall, id: string): Promise<FastifyReply> {
  const { access, engine, runs } = served;
  const { "last-event-id": last } = request.headers;
  const from = typeof last === "string" && /^\d{1,9}$/.test(last) ? Number(last) + 1 : 0;
  const gone = new AbortController();
  reply.raw.once("close", () => gone.abort());
  const signal = access.whileAllowed(request, "runs:read", AbortSignal.any([gone.signal, runs.closing]));
  const events = createEventStream({
    ledger: engine.history.ledger,
    id,
    from,
    isWaiting: async () => await isWaiting(served, id),
    signal,
  });
  return await reply.header("x-accel-buffering", "no").type("text/event-stream").serializer(String).send(events);
}

async function listRunSecrets(call: RunCall): Promise<ReturnType<typeof secretsOfRun>> {
  const { execution, status } = await findRun(call);
  if (status === "queued") return [];
  const events: RecordedEvent[] = [];
  for await (const event of call.served.engine.history.iterateEvents(execution)) {
    // Most are lines of its log, which tell nothing of that.
    if (event.event !== "task.log") events.push(event);
  }
  return secretsOfRun(events);
}

async function resumeRun(call: RunCall): Promise<StartedRun> {
  const run = await findRunAgain(call);
  const { status } = run;
  if (status === "queued" || status === "running" || status === "success") throw cannotResume(status);
  await call.served.runs.resume(run, startedBy(call));
  return toStarted(run);
}

async function rerunRun(call: RunCall): Promise<StartedRun> {
  const run = await findRunAgain(call);
  if (run.status === "queued") throw cannotResume(run.status);
  const { from } = (call.request.body as z.output<typeof schemas.rerunSchema>) ?? {};
  const { id: execution } = await call.served.runs.rerun(run, from, startedBy(call));
  call.reply.header("location", `/api/runs/${execution}`);
  return { ...toStarted(run), execution };
}

async function cancelRun(call: RunCall): Promise<StartedRun> {
  const { id } = call.request.params as z.output<typeof schemas.runIdSchema>;
  return toStarted(await call.served.runs.cancel(id, startedBy(call), async () => await findRun(call)));
}

/** By its id; or, for those who may, the workflow itself. */
async function workflowOf(named: string, { principal, visible }: RunCall): Promise<ParsedWorkflow> {
  if (/^[A-Za-z0-9_-]+$/.test(named)) {
    const workflow = await visible.get(named);
    if (workflow === null) throw workflowNotFound();
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

function startedBy({ principal, request }: RunCall): StartedBy {
  return { actor: actorOf(principal, request.ip), requestId: request.id };
}

function toStarted({ execution, workflow }: ListedRun): StartedRun {
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

function cannotResume(status: ListedRun["status"]): AutokestraError {
  return new AutokestraError("RUN_NOT_RESUMABLE", `The run is ${status}`, { details: {} });
}
