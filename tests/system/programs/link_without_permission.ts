import { keepConnected, type SocketError } from "../../../mod.ts";

// A `retry` that only adds to the default, as the README writes it: this link must end at once.
let attempts = 0;
const link = keepConnected(
  () => {
    attempts++;
    return { host: "127.0.0.1", port: 9 };
  },
  () => {},
  {
    backoff: { first: 1 },
    attempts: 100,
    retry: (error, byDefault) => byDefault && !/not subscribed/.test(String(error)),
  },
);
const errors: SocketError[] = [];
await link.finished.catch((error) => errors.push(error));
await link.up().catch((error) => errors.push(error));
console.log(JSON.stringify({ attempts, kinds: errors.map(({ kind }) => kind) }));
