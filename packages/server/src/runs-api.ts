import { type ParsedWorkflow, parseWorkflow, WorkflowError } from "@autokestra/engine";
import { type RecordedEvent, secretsOfRun } from "@autokestra/runs";
import { AutokestraError } from "@autokestra/secrets-core";
import type { FastifyInstance, FastifyReply } from "fastify";
import type { z } from "zod/v4";
import type { AccessControl } from "./access-control.ts";
import { type ApiCall, type ApiRoute, addApiRoute, linksTo } from "./api-route.ts";
import { createEventList, createEventStream } from "./event-stream.ts";
import { actorOf } from "./principal.ts";
import type { EarlierRun, ServedRun, ServedRuns, StartedBy } from "./run-service.ts";
import * as schemas from "./runs-schemas.ts";
import { emptyBodySchema } from "./schemas.ts";
import type { SecretsApiOptions } from "./secrets-api.ts";
import { checkText, fileOfWorkflow, type RunCall, toRunCall } from "./visible-workflows.ts";
import { usageRoutes, workflowNotFound, workflowRoutes } from "./workflows-api.ts";

type Body<Schema extends z.ZodType> = z.output<Schema>;

/** Adds the routes of workflows and runs. */
export function addRunRoutes(
  app: FastifyInstance,
  access: AccessControl,
  served: ServedRuns,
  secretsFor: SecretsApiOptions["secretsFor"],
): void {
  const toCall = (call: ApiCall) => toRunCall(served, call);
  for (const [tag, base, routes] of [
    ["workflows", "/api/workflows", workflowRoutes(served)],
    ["secrets", "/api/secrets", usageRoutes(served)],
    ["runs", "/api/runs", runRoutes(served, access)],
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

function runRoutes(served: ServedRuns, access: AccessControl): readonly ApiRoute<RunCall>[] {
  const finder = createRunFinder(served);
  return [startRoute(served), ...readingRoutes(served, access, finder), ...changingRoutes(served, finder)];
}

function startRoute({ runs }: ServedRuns): ApiRoute<RunCall> {
  return {
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
    async handle(call) {
      const { request, reply, principal } = call;
      const { workflow: named, inputs } = request.body as Body<typeof schemas.startSchema>;
      const workflow = await workflowOf(named, call);
      const key = (request.headers as Body<typeof schemas.startHeadersSchema>)["idempotency-key"];
      const { id } = await runs.start({
        workflow,
        inputs: textsOf(workflow, inputs),
        ...startedBy(call),
        // Somebody else's key is another one. The subject of a JWT may have any characters.
        key: key === undefined ? undefined : JSON.stringify([principal.kind, principal.id, key]),
        isKeyOfRequest: true,
      });
      reply.header("location", `/api/runs/${id}`);
      return { execution: id, workflow: workflow.workflow.id };
    },
  };
}

function readingRoutes(
  { engine: { history }, runs }: ServedRuns,
  access: AccessControl,
  { find, isWaiting }: RunFinder,
): readonly ApiRoute<RunCall>[] {
  /** A client that comes back says which event it had last. */
  async function stream({ request, reply }: RunCall, id: string): Promise<FastifyReply> {
    const { "last-event-id": last } = request.headers;
    const from = typeof last === "string" && /^\d{1,9}$/.test(last) ? Number(last) + 1 : 0;
    const gone = new AbortController();
    reply.raw.once("close", () => gone.abort());
    const signal = access.whileAllowed(request, "runs:read", AbortSignal.any([gone.signal, runs.closing]));
    const events = createEventStream({
      ledger: history.ledger,
      id,
      from,
      isWaiting: async () => await isWaiting(id),
      signal,
    });
    return await reply.header("x-accel-buffering", "no").type("text/event-stream").serializer(String).send(events);
  }

  return [
    {
      method: "GET",
      url: "/",
      permission: "runs:read",
      operationId: "listRuns",
      summary: "List runs that have started, the newest first; or those that wait, in their order",
      query: schemas.runsQuerySchema,
      answer: schemas.runListSchema,
      refusals: [400],
      async handle({ request, visible }) {
        const { after, status, ...filter } = request.query as Body<typeof schemas.runsQuerySchema>;
        const shown: ServedRun[] = [];
        if (status === "queued") {
          for (const run of await runs.allQueued(filter.workflow)) if (await visible.covers(run)) shown.push(run);
          return shown.slice(0, filter.limit);
        }
        // A page is full whatever is hidden between: its last run is where the next one begins.
        for (let before = after; ; ) {
          const found = await history.list({ ...filter, status, before });
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
      texts: ["text/event-stream"],
      refusals: [400, 404],
      async handle(call) {
        const { execution, status } = await find(call);
        const { headers, method } = call.request;
        const isLive = headers.accept?.includes("text/event-stream") === true;
        const reply = call.reply
          .type(isLive ? "text/event-stream" : "application/json; charset=utf-8")
          .serializer(String);
        // A stream whose end nobody sees would go on behind the answer.
        if (method === "HEAD") return await reply.send("");
        if (isLive) return await stream(call, execution);
        return await reply.send(status === "queued" ? "[]" : createEventList(history.iterateEvents(execution)));
      },
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
      async handle(call) {
        const { execution, status } = await find(call);
        if (status === "queued") return [];
        const events: RecordedEvent[] = [];
        // Most are lines of its log, which tell nothing of that.
        for await (const event of history.iterateEvents(execution)) if (event.event !== "task.log") events.push(event);
        return secretsOfRun(events);
      },
    },
  ];
}

/** What is done with a run that is there already. */
function changingRoutes({ runs }: ServedRuns, { find, findAgain }: RunFinder): readonly ApiRoute<RunCall>[] {
  return [
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
        await runs.resume(run, startedBy(call));
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
        const { id: execution } = await runs.rerun(run, from, startedBy(call));
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
        const { id } = call.request.params as Body<typeof schemas.runIdSchema>;
        return toStarted(await runs.cancel(id, startedBy(call), async () => await find(call)));
      },
    },
  ];
}

/** Looks for runs, as one caller may see them. */
interface RunFinder {
  /** @throws AutokestraError `RUN_NOT_FOUND` */
  readonly find: (call: RunCall) => Promise<ServedRun>;
  /** A run that came as text, or from elsewhere than the folder of the server, runs again for those only who may start it. */
  readonly findAgain: (call: RunCall) => Promise<ServedRun & EarlierRun>;
  /** Whether a run waits, here or elsewhere. */
  readonly isWaiting: (id: string) => Promise<boolean>;
}

function createRunFinder({ engine: { history }, runs, workflows }: ServedRuns): RunFinder {
  /** The run, if it goes on here, or waits here or elsewhere. */
  async function activeOf(id: string): Promise<ServedRun | null> {
    return runs.active(id) ?? (await runs.queued(id));
  }

  async function find({ request, visible }: RunCall): Promise<ServedRun> {
    const { id } = request.params as Body<typeof schemas.runIdSchema>;
    const active = await activeOf(id);
    const [stored = null] = await history.list({ id, limit: 1 });
    // A run that goes on again has ended before.
    const run =
      active === null || stored === null || stored.status === "running"
        ? (stored ?? active)
        : { ...stored, ...UNFINISHED, status: active.status };
    if (run === null || !(await visible.covers(run))) throw runNotFound();
    return run;
  }

  return {
    find,
    async findAgain(call) {
      const run = await find(call);
      const file = await runs.fileOf(run.execution);
      if (fileOfWorkflow(workflows, run.workflow) !== (file ?? "")) checkText(call.principal);
      return { ...run, file };
    },
    isWaiting: async (id) => (await activeOf(id))?.status === "queued",
  };
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

const UNFINISHED = { cancelledBy: null, finishedAt: null, durationMs: null } as const;

function startedBy({ principal, request }: RunCall): StartedBy {
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
