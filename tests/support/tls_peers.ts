import { once } from "node:events";
import type { AddressInfo } from "node:net";
import * as tls from "node:tls";
import type { Address } from "../../mod.ts";
import type { TestCertificate } from "./certificates.ts";

export type TlsVersion = "TLSv1.2" | "TLSv1.3";
export const VERSIONS: readonly TlsVersion[] = ["TLSv1.2", "TLSv1.3"];

/** A server that sends one greeting, shows any certificate, and checks nothing. */
export interface NodeTlsServer extends AsyncDisposable {
  readonly address: Address;
  /** Clients whose handshake was done. */
  readonly clients: number;
}

export const GREETING = "hello from the server";

/** Starts a server of `node:tls`, which shows a certificate whatever it says. */
export async function startNodeServer(
  { cert, key }: TestCertificate,
  options: tls.TlsOptions & { readonly version?: TlsVersion } = {},
): Promise<NodeTlsServer> {
  const { version, ...others } = options;
  const sockets = new Set<tls.TLSSocket>();
  let clients = 0;
  const server = tls.createServer({
    cert,
    key,
    ...version === undefined ? {} : { minVersion: version, maxVersion: version },
    ...others,
  }, (socket) => {
    clients++;
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("data", () => {});
    socket.write(GREETING);
  });
  server.on("tlsClientError", () => {});
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    address: { host: "127.0.0.1", port },
    get clients(): number {
      return clients;
    },
    async [Symbol.asyncDispose](): Promise<void> {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** Connects with `node:tls`, which checks nothing, and waits until the server has sent something or has gone. */
export async function connectNodeClient(
  port: number,
  options: tls.ConnectionOptions & { readonly version?: TlsVersion },
): Promise<string> {
  const { version, ...others } = options;
  const socket = tls.connect({
    host: "127.0.0.1",
    port,
    servername: "server.test",
    rejectUnauthorized: false,
    ...version === undefined ? {} : { minVersion: version, maxVersion: version },
    ...others,
  });
  const { promise, resolve } = Promise.withResolvers<string>();
  let received = "";
  socket.on("data", (bytes: Uint8Array) => {
    received += new TextDecoder().decode(bytes);
    resolve(received);
  });
  socket.on("error", () => {});
  const closed = new Promise<void>((done) => socket.on("close", () => done()));
  socket.on("end", () => socket.destroy());
  closed.then(() => resolve(received));
  await promise;
  socket.destroy();
  await closed;
  return received;
}
