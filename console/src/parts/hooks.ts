import { useCallback, useEffect, useRef, useState } from "preact/hooks";

import { Problem, Unreachable } from "../api/client";
import { onChange } from "../api/live";

/** Pause between two reads of the same thing at least, ms. */
const PAUSE = 1_000;
/** Ages, prices and what is late change without an event: read again after this long, ms, while somebody looks. */
const EVERY = 15_000;
/** A read that takes long is repeated less often: it may take this share of the time. */
const SHARE = 5;

/** `current`: the answer, or the error, is about what is asked now. The last answer stays until there is another. */
export type Checked<T> = { answer: T | null; error: string | null; current: boolean };

/** Asks a question about what is typed, once nothing was typed for `pause` ms; `""`: there is nothing to ask. */
export function useChecked<T>(asked: string, ask: (asked: string) => Promise<T>, pause: number): Checked<T> {
  const [said, say] = useState<{ asked: string; answer: T | null; error: string | null }>({ asked: "", answer: null, error: null });
  const latest = useRef(ask);
  latest.current = ask;
  useEffect(() => {
    if (!asked) {
      say({ asked, answer: null, error: null });
      return;
    }
    let over = false;
    const look = async () => {
      try {
        const answer = await latest.current(asked);
        if (!over) say({ asked, answer, error: null });
      } catch (problem) {
        if (!over) say((before) => ({ ...before, asked, error: problem instanceof Error ? problem.message : String(problem) }));
      }
    };
    const timer = window.setTimeout(() => void look(), pause);
    return () => {
      over = true;
      window.clearTimeout(timer);
    };
  }, [asked]);
  return { answer: said.answer, error: said.error, current: said.asked === asked };
}

export type Read<T> = { data: T | null; error: string | null; again: () => void };

/** Reads something, and again after each change that concerns it. What was read stays while the server is away. */
export function useRead<T>(load: () => Promise<T>, concerns: (job: number | null) => boolean, key: string): Read<T> {
  const [read, setRead] = useState<{ key: string; data: T | null; error: string | null }>({ key, data: null, error: null });
  const latest = useRef(load);
  latest.current = load;
  const [asked, ask] = useState(0);
  useEffect(() => {
    let over = false;
    let timer: number | undefined;
    let reading = false;
    let wanted = false;
    const once = async () => {
      reading = true;
      wanted = false;
      const begun = performance.now();
      try {
        const data = await latest.current();
        if (!over) setRead({ key, data, error: null });
      } catch (error) {
        // Once something was read, the banner says that the server is away.
        if (!over && error instanceof Unreachable) {
          setRead((before) => (before.key === key && before.data ? before : { key, data: null, error: error.message }));
        } else if (!over) {
          const text = error instanceof Problem ? error.message : String(error);
          setRead((before) => ({ key, data: before.key === key ? before.data : null, error: text }));
        }
      }
      const took = performance.now() - begun;
      timer = window.setTimeout(() => {
        reading = false;
        if (wanted && !over) void once();
      }, Math.max(PAUSE, took * SHARE));
    };
    const stop = onChange((job) => {
      if (!concerns(job)) return;
      wanted = true;
      if (!reading) void once();
    });
    const due = () => {
      if (document.hidden) return;
      wanted = true;
      if (!reading) void once();
    };
    const clock = window.setInterval(due, EVERY);
    document.addEventListener("visibilitychange", due);
    void once();
    return () => {
      over = true;
      stop();
      window.clearInterval(clock);
      document.removeEventListener("visibilitychange", due);
      window.clearTimeout(timer);
    };
  }, [key, asked]);
  const again = useCallback(() => ask((count) => count + 1), []);
  const own = read.key === key;
  return { data: own ? read.data : null, error: own ? read.error : null, again };
}

/** The path behind #. */
export function useRoute(): string {
  const [route, setRoute] = useState(location.hash.slice(1) || "/");
  useEffect(() => {
    const moved = () => setRoute(location.hash.slice(1) || "/");
    window.addEventListener("hashchange", moved);
    return () => window.removeEventListener("hashchange", moved);
  }, []);
  return route;
}

/** Whether the reader wants dark colours. */
export function useDark(): boolean {
  const query = "(prefers-color-scheme: dark)";
  const [dark, setDark] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const list = matchMedia(query);
    const changed = () => setDark(list.matches);
    list.addEventListener("change", changed);
    return () => list.removeEventListener("change", changed);
  }, []);
  return dark;
}
