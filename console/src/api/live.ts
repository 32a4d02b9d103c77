// Live updates: one stream for the whole page. It is opened again for as long as the server does not answer, and then
// everything is read again.
import { get, Problem, type Session } from "./client";

export type Link = { state: "opening" | "live" } | { state: "lost"; since: Date } | { state: "signed out" };
type Change = { job: number | null };

const listeners = new Set<(job: number | null) => void>();
const watchers = new Set<(link: Link) => void>();
let link: Link = { state: "opening" };
let source: EventSource | null = null;
let attempts = 0;

function say(next: Link): void {
  link = next;
  for (const watcher of watchers) watcher(next);
}

function changed(job: number | null): void {
  for (const listener of listeners) listener(job);
}

async function retry(): Promise<void> {
  source?.close();
  source = null;
  if (link.state !== "lost") say({ state: "lost", since: new Date() });
  attempts += 1;
  await new Promise((done) => setTimeout(done, Math.min(500 * 2 ** attempts, 5_000)));
  try {
    await get<Session>("/session");
  } catch (error) {
    if (error instanceof Problem && error.status === 401) {
      say({ state: "signed out" });
      return;
    }
  }
  open();
}

/** Begins to listen. */
export function open(): void {
  const stream = new EventSource("/api/v1/events");
  source = stream;
  stream.addEventListener("ready", () => {
    attempts = 0;
    const again = link.state === "lost";
    say({ state: "live" });
    if (again) changed(null);
  });
  stream.addEventListener("change", (event) => changed((JSON.parse(event.data as string) as Change).job));
  stream.addEventListener("reload", () => changed(null));
  stream.addEventListener("error", () => {
    if (source === stream) void retry();
  });
}

export function close(): void {
  const stream = source;
  source = null;
  stream?.close();
}

/** Calls with the job that changed; null: anything may have. */
export function onChange(listener: (job: number | null) => void): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

export function onLink(watcher: (link: Link) => void): () => void {
  watchers.add(watcher);
  watcher(link);
  return () => void watchers.delete(watcher);
}
