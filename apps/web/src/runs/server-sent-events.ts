/** https://html.spec.whatwg.org/multipage/server-sent-events.html, as far as the server uses it. */
export interface ServerSentEvent {
  readonly id: string | null;
  /** `message` where the server names none. */
  readonly type: string;
  readonly data: string;
}

/** Reads a stream that comes in pieces: takes the next piece of text, and returns the events that are complete now. */
export function createEventReader(): (text: string) => ServerSentEvent[] {
  let rest = "";
  let event: ServerSentEvent = EMPTY;

  return (text) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    const complete: ServerSentEvent[] = [];
    for (const line of lines) {
      const [, field, value = ""] = /^(\w*)(?:: ?(.*?))?\r?$/s.exec(line) ?? [];
      if (field === "id") event = { ...event, id: value };
      else if (field === "event") event = { ...event, type: value };
      else if (field === "data") event = { ...event, data: event.data === "" ? value : `${event.data}\n${value}` };
      else if (field === "" && /^\r?$/.test(line)) {
        if (event.data !== "") complete.push(event);
        event = EMPTY;
      }
    }
    return complete;
  };
}

const EMPTY: ServerSentEvent = { id: null, type: "message", data: "" };
