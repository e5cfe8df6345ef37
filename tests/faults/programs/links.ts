import { equals } from "@std/bytes";
import {
  type Address,
  connect,
  framed,
  heartbeat,
  keepConnected,
  type KeepConnectedOptions,
  lengthPrefixed,
  type Link,
  type LinkContext,
  recvFrame,
  sendFrame,
  SocketError,
} from "../../../mod.ts";
import type { Connection } from "../../../mod.ts";

/** Pause between two questions of a session (ms). */
const PAUSE_MS = 20;
const QUESTION = new Uint8Array([1, 2, 3]);

/** The options of links that JSON can carry. */
interface LinksOptions
  extends Pick<KeepConnectedOptions, "handshakeTimeout" | "stableAfter" | "backoff" | "attempts"> {
  readonly as: string;
  readonly to: Address | readonly Address[];
  /** Time that the server has for an answer (ms). */
  readonly patience?: number;
  /** Interval and timeout of a heartbeat, which then is all that watches the server (ms). */
  readonly beat?: number;
  /** The number of links, 1 by default. */
  readonly links?: number;
}

/** The state of some links. */
export interface LinksStatus {
  /** Links that are ready. */
  readonly ready: number;
  /** Sessions that have been ready so far. */
  readonly sessions: number;
  /** Attempts to connect so far. */
  readonly attempts: number;
  /** The kinds of errors so far, without repetition. */
  readonly kinds: readonly string[];
  /** The largest number of attempts that one link made between two sessions. */
  readonly mostInARow: number;
  /** Connections that a heartbeat has given up so far. */
  readonly givenUp: number;
}

interface Links {
  readonly all: Link[];
  sessions: number;
  attempts: number;
  mostInARow: number;
  givenUp: number;
  readonly kinds: Set<string>;
}

/** Asks the server again and again, and is ready after its first answer. Any silence or wrong answer is an error. */
async function ask(
  connection: Connection,
  { ready, signal }: LinkContext,
  timeout: number,
  onReady: () => void,
): Promise<void> {
  const frames = framed(connection, lengthPrefixed({ bytes: 4, maxLength: 1000 }));
  for (let count = 0;; count++) {
    await sendFrame(frames, QUESTION, { signal, timeout });
    const answer = await recvFrame(frames, { signal, timeout });
    if (answer === null) return;
    if (!equals(answer, QUESTION)) throw new SocketError("InvalidData", "ask", "a wrong answer");
    if (count === 0) {
      ready();
      onReady();
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

/** Asks once, and again only in the pings of a heartbeat. Nothing else limits the time of an answer. */
async function watch(
  connection: Connection,
  { ready, signal }: LinkContext,
  beat: number,
  onReady: () => void,
): Promise<void> {
  const frames = framed(connection, lengthPrefixed({ bytes: 4, maxLength: 1000 }));
  const ask = () => sendFrame(frames, QUESTION);
  await ask();
  if (await recvFrame(frames, { signal }) === null) return;
  ready();
  onReady();
  using _heart = heartbeat(connection, { interval: beat, timeout: beat, ping: ask });
  while (await recvFrame(frames, { signal }) !== null);
}

/** Makes the commands for links. */
export function linkCommands() {
  const all = new Map<string, Links>();
  const status = (on: string): LinksStatus => {
    const { all: links, kinds, ...counts } = all.get(on)!;
    const ready = links.filter(({ state }) => state === "ready").length;
    return { ready, kinds: [...kinds].sort(), ...counts };
  };
  return {
    /** Starts links whose sessions ask a server that sends frames back. */
    keepConnected({ as, to, patience = 300, beat, links = 1, ...options }: LinksOptions) {
      const counts = { sessions: 0, attempts: 0, mostInARow: 0, givenUp: 0 };
      const made: Links = { all: [], kinds: new Set(), ...counts };
      all.set(as, made);
      for (let count = 0; count < links; count++) {
        let inARow = 0;
        made.all.push(
          keepConnected(to, (connection, context) => {
            const onReady = () => {
              inARow = 0;
              made.sessions++;
            };
            return beat === undefined
              ? ask(connection, context, patience, onReady)
              : watch(connection, context, beat, onReady);
          }, {
            ...options,
            connect(endpoint, { signal }) {
              made.attempts++;
              made.mostInARow = Math.max(made.mostInARow, ++inARow);
              return connect(endpoint, { signal });
            },
            retry(error) {
              const { kind, reason } = error as SocketError;
              made.kinds.add(kind);
              if (/sent nothing for/.test(reason)) made.givenUp++;
              return true;
            },
          }),
        );
      }
    },
    links: ({ on }: { on: string }) => status(on),
    /** Waits until all links are ready, and at least `sessions` sessions have been. */
    async linksReady({ on, sessions = 1 }: { on: string; sessions?: number }) {
      for (;;) {
        const now = status(on);
        if (now.ready === all.get(on)!.all.length && now.sessions >= sessions) return now;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    },
    /** Waits until no link is ready and one of them has met an error of a kind. */
    async linksDown({ on, kind }: { on: string; kind?: string }) {
      for (;;) {
        const now = status(on);
        if (now.ready === 0 && (kind === undefined || now.kinds.includes(kind))) return now;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    },
    async closeLinks({ on }: { on: string }) {
      await Promise.all(all.get(on)!.all.map((link) => link.close({ linger: 100 })));
      return status(on);
    },
  };
}
