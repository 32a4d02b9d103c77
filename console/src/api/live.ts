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
/** When the stream last said anything, ms. The server says something every 15 s. */
let heard = 0;
const SILENCE_MAX = 40_000;

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

/** Begins to listen. A page that nobody looks at does not: a browser has few connections for all of its tabs. */
export function open(): void {
  if (source || document.hidden) return;
  const stream = new EventSource("/api/v1/events");
  source = stream;
  heard = performance.now();
  const on = (name: string, act: (event: MessageEvent<string>) => void) =>
    stream.addEventListener(name, (event) => {
      heard = performance.now();
      act(event as MessageEvent<string>);
    });
  on("ready", () => {
    attempts = 0;
    say({ state: "live" });
    // What happened before the stream began was not sent.
    changed(null);
  });
  on("change", (event) => changed((JSON.parse(event.data) as Change).job));
  on("reload", () => changed(null));
  on("ping", () => undefined);
  stream.addEventListener("error", () => {
    if (source === stream) void retry();
  });
}

export function close(): void {
  const stream = source;
  source = null;
  stream?.close();
}

/** Looks after the stream for as long as the page is there. */
export function tend(): void {
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) close();
    else if (link.state === "live" || link.state === "opening") open();
  });
  window.setInterval(() => {
    // A connection that vanished without a word.
    if (source && performance.now() - heard > SILENCE_MAX) void retry();
  }, 5_000);
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
