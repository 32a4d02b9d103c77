// Live updates: one stream for the whole page. It is opened again for as long as the server does not answer, and then
// everything is read again.
import { get, Problem, type Session, stream } from "./client";

export type Link = { state: "opening" | "live" } | { state: "lost"; since: Date } | { state: "signed out" };
type Change = { job: number | null };

const listeners = new Set<(job: number | null) => void>();
const watchers = new Set<(link: Link) => void>();
let link: Link = { state: "opening" };
let source: AbortController | null = null;
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

/** Reads events until the stream ends. EventSource would do, but sends no header of ours. */
async function read(signal: AbortSignal, act: (name: string, data: string) => void): Promise<void> {
  const [reader, decoder] = [(await stream(signal)).getReader(), new TextDecoder()];
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += decoder.decode(value, { stream: true });
    const events = text.split("\n\n");
    text = events.pop() ?? "";
    for (const event of events) {
      const field = (name: string) =>
        event.split("\n").find((line) => line.startsWith(`${name}:`))?.slice(name.length + 1).trim() ?? "";
      act(field("event"), field("data"));
    }
  }
}

async function retry(): Promise<void> {
  source?.abort();
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
  const opened = new AbortController();
  source = opened;
  heard = performance.now();
  const act = (name: string, data: string) => {
    heard = performance.now();
    if (name === "ready") {
      attempts = 0;
      say({ state: "live" });
    }
    if (name === "change") changed((JSON.parse(data) as Change).job);
    // What happened before the stream began, or was too much for it, was not sent.
    if (name === "ready" || name === "reload") changed(null);
  };
  const again = () => {
    if (source === opened) void retry();
  };
  read(opened.signal, act).then(again, again);
}

export function close(): void {
  const opened = source;
  source = null;
  opened?.abort();
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
