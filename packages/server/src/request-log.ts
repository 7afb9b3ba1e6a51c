import { AutokestraError } from "@autokestra/secrets-core";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";

/** Where lines of JSON go: one for each request, and one for each failure of the server. */
export interface RequestLog {
  write(line: string): void;
}

/** Logs the requests of a server, once they are answered. */
export function logRequests(app: FastifyInstance, log: RequestLog): void {
  app.addHook("onResponse", (request, reply, done) => {
    logRequest(log, request, reply);
    done();
  });
}

/** No path, no query and no header: these can hold what nobody may read later. */
function logRequest(log: RequestLog, request: FastifyRequest, reply: FastifyReply): void {
  const { id, method, principal, routeOptions } = request;
  const [token, route] = [principal?.id ?? null, routeOptions.url ?? null].map((text) => JSON.stringify(text));
  const ms = Math.round(reply.elapsedTime * 10) / 10;
  const head = `{"time":"${new Date().toISOString()}","level":"info","requestId":"${id}"`;
  log.write(
    `${head},"token":${token},"method":"${method}","route":${route},"status":${reply.statusCode},"ms":${ms}}\n`,
  );
}

/** The message of an error can hold anything. */
export function logFailure(log: RequestLog, request: FastifyRequest, error: unknown): void {
  const code = codeOf(error);
  const name = error instanceof Error ? error.name : typeof error;
  // Places, without the first lines, which repeat the message.
  const places = error instanceof Error ? (error.stack?.match(/^\s+at .*$/gm) ?? []).map((at) => at.trim()) : [];
  const time = new Date().toISOString();
  const line = { time, level: "error", requestId: request.id, code, name, places: places.slice(0, 5) };
  log.write(`${JSON.stringify(line)}\n`);
}

export function codeOf(error: unknown): string {
  return error instanceof AutokestraError ? error.code : "INTERNAL";
}
