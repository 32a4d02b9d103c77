// The HTTP API with the session's cookie. Types come from docs/openapi.json.
import type { components } from "./schema";

type Schemas = components["schemas"];
export type JobLine = Schemas["list.JobLine"];
export type Job = Schemas["status.Status"];
export type Trade = Schemas["trades.TradeLine"];
export type LogLine = Schemas["logs"];
export type Overview = Schemas["OverviewView"];
export type Prices = Schemas["PricesView"];
export type Session = Schemas["SessionView"];
export type Changed = Schemas["pause.Changed"];
export type Ticked = Schemas["tick"];
export type Dead = Schemas["status.Dead"];
export type Edited = Schemas["config-edit.Edited"];
export type KeyLine = Schemas["config-keys.KeyLine"];
export type Check = Schemas["doctor.Check"];
export type Health = Schemas["HealthView"];
export type Wallet = Schemas["wallet-list.Wallet"];
export type Signer = Schemas["SignerView"];
export type Policy = Schemas["PolicyAnswer"];
export type Found = Schemas["Found"];
export type Costs = Schemas["init.Costs"];
export type WouldStart = Schemas["WouldStart"];
export type Started = Schemas["start"];
export type Run = Schemas["RunView"];
export type Summary = Schemas["backtest.Summary"];
export type Swept = Schemas["backtest.Swept"];
export type Token = Schemas["token-list.TokenLine"];
export type NewToken = Schemas["token-new"];
export type Receiver = Schemas["notify-list.ReceiverView"];

/** An answer that is no success, in the API's words. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly kind: string,
    detail: string,
    readonly would: string | undefined,
    readonly shown: readonly string[],
    readonly confirm: string | undefined,
  ) {
    super(detail);
  }
}

/** The server did not answer at all. */
export class Unreachable extends Error {
  constructor() {
    super("the server does not answer");
  }
}

/** Longest wait for an answer, ms. A tick waits up to 30 s for its trade. */
const READ_PATIENCE = 15_000;
const WRITE_PATIENCE = 45_000;

/**
 * The page's key of the session, which every request needs besides the cookie. A browser sends cookies to every port of a
 * host; what is stored here is for pages of this port only.
 */
const KEY = "lgi-mm.key";

function marked(headers: Record<string, string> = {}): Record<string, string> {
  return { ...headers, "X-Lgi-Mm-Console": localStorage.getItem(KEY) ?? "none" };
}

async function send(method: string, path: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    const signal = init.signal ?? AbortSignal.timeout(method === "GET" ? READ_PATIENCE : WRITE_PATIENCE);
    response = await fetch(`/api/v1${path}`, { ...init, method, signal, credentials: "same-origin", cache: "no-store" });
  } catch {
    throw new Unreachable();
  }
  if (response.ok) return response;
  const said = await response.json().catch(() => ({}) as Partial<Schemas["Problem"]>);
  const detail = said.detail ?? `the server answered ${response.status}`;
  throw new Problem(response.status, said.type ?? "", detail, said.would ?? undefined, said.shown ?? [], said.confirm ?? undefined);
}

export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  const response = await send("GET", path, signal ? { signal, headers: marked() } : { headers: marked() });
  return (await response.json()) as T;
}

/** A page of a list, and the path of the next one. */
export async function page<T>(path: string): Promise<{ rows: T[]; next: string | null }> {
  const response = await send("GET", path, { headers: marked() });
  const link = response.headers.get("link")?.match(/<\/api\/v1([^>]+)>; rel="next"/);
  return { rows: (await response.json()) as T[], next: link?.[1] ?? null };
}

/** What is there, as text. */
export async function text(path: string): Promise<string> {
  return (await send("GET", path, { headers: marked() })).text();
}

/** Saves what is there as a file: a link could not show the session's key. */
export async function save(path: string, name: string): Promise<void> {
  const response = await send("GET", path, { headers: marked() });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await response.blob());
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** What is there, and its version. */
export async function tagged<T>(path: string): Promise<{ data: T; etag: string }> {
  const response = await send("GET", path, { headers: marked() });
  return { data: (await response.json()) as T, etag: response.headers.get("etag") ?? "*" };
}

/** A question with a body: it changes nothing. */
export async function question<T>(path: string, body: object): Promise<T> {
  const headers = marked({ "Content-Type": "application/json" });
  return (await (await send("POST", path, { headers, body: JSON.stringify(body) })).json()) as T;
}

/** What a write is, besides where it goes and what it says. */
export type Manner = { key?: string; method?: "POST" | "PATCH" | "DELETE"; etag?: string };

/** A write. One key for each intention: if the answer is lost, the same key carries it out once. */
export async function write<T>(path: string, body: object, manner: Manner = {}): Promise<T> {
  const { key = crypto.randomUUID(), method = "POST", etag } = manner;
  const headers = marked({ "Content-Type": "application/json", "Idempotency-Key": key });
  if (etag) headers["If-Match"] = etag;
  const init = { headers, body: JSON.stringify(body) };
  try {
    return (await (await send(method, path, init)).json()) as T;
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error;
    await new Promise((done) => setTimeout(done, 1_000));
    return (await (await send(method, path, init)).json()) as T;
  }
}

/** Exchanges the ticket of a link for a session. */
export async function signIn(ticket: string): Promise<Session> {
  const headers = { "Content-Type": "application/json", "X-Lgi-Mm-Console": "1" };
  const response = await send("POST", "/session", { headers, body: JSON.stringify({ ticket }) });
  const { key, ...session } = (await response.json()) as Schemas["OpenedView"];
  localStorage.setItem(KEY, key);
  return session;
}

export async function signOut(): Promise<void> {
  await send("DELETE", "/session", { headers: marked() });
  localStorage.removeItem(KEY);
}

/** The stream of changes, until it is aborted. */
export async function stream(signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
  const response = await send("GET", "/events", { headers: marked(), signal });
  if (!response.body) throw new Unreachable();
  return response.body;
}
