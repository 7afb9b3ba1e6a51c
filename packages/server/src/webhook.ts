import type { WebhookRequest } from "@autokestra/engine";
import { AutokestraError } from "@autokestra/secrets-core";

/** What a workflow gets of a webhook, as the texts of its inputs. */
export function webhookInputs(request: WebhookRequest): { readonly body: string; readonly headers: string } {
  return { body: bodyOf(request), headers: JSON.stringify(shownHeaders(request)) };
}

/** The body of a webhook: JSON, otherwise text. */
function bodyOf({ body }: WebhookRequest): string {
  const text = new TextDecoder().decode(body);
  try {
    JSON.parse(text);
    return text;
  } catch {
    return JSON.stringify(text);
  }
}

/** What a workflow gets of the headers: not the secret. */
function shownHeaders({ headers }: WebhookRequest): WebhookRequest["headers"] {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !SECRET_HEADERS.has(name)));
}

const SECRET_HEADERS: ReadonlySet<string> = new Set([
  "authorization",
  "cookie",
  "proxy-authorization",
  "webhook-signature",
]);

export function notSigned(result: "late" | "refused"): AutokestraError {
  const late = "The webhook is older than 5 minutes, or from the future: send it again";
  return new AutokestraError(
    "UNAUTHORIZED",
    result === "late" ? late : "The webhook is not signed as its workflow says",
  );
}
