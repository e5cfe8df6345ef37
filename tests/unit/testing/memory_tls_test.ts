/** TLS on networks in memory. */
import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import {
  abort,
  accept,
  type Connection,
  recvLine,
  send,
  type SocketError,
  startTls,
} from "../../../mod.ts";
import { type MemoryNetwork, memoryNetwork, simulate, SimulationError } from "../../../testing.ts";
import { makeCertificate } from "../../support/certificates.ts";
import { bytesOf } from "../../support/text.ts";

/** Certificates of this time begin after 2000, when the clock of a simulation does; these begin 40 years ago. */
const LONG_AGO = -40 * 365 * 24;

interface Certificates {
  readonly caCerts: string[];
  readonly cert: string;
  readonly key: string;
}

async function certificatesFrom(from: number): Promise<Certificates> {
  const authority = await makeCertificate({ subject: "authority", authority: true, from });
  const { cert, key } = await makeCertificate({
    subject: "server",
    issuer: authority,
    hosts: ["server"],
    from,
  });
  return { caCerts: [authority.cert], cert, key };
}

/** Speaks TLS between two hosts, and returns the line that came. */
async function talk(network: MemoryNetwork, certificates: Certificates): Promise<string | null> {
  const { caCerts, cert, key } = certificates;
  const listener = await network.host("server").listen({ host: "server", port: 443 });
  const client = await network.host("client").connect({ host: "server", port: 443 });
  const server = await accept(listener);
  const secure: Connection[] = await Promise.all([
    startTls(client, { role: "client", serverName: "server", caCerts }),
    startTls(server, { role: "server", cert, key }),
  ]);
  await send(secure[0], bytesOf("hello\n"));
  const line = await recvLine(secure[1]);
  secure.forEach((one) => abort(one));
  return line;
}

Deno.test("M8: TLS works on a network in memory in real time", async () => {
  const certificates = await certificatesFrom(-1);
  using network = memoryNetwork();
  assertEquals(await talk(network, certificates), "hello");
});

Deno.test("M8: a simulation judges certificates by its own clock, which begins in 2000", async () => {
  const now = await certificatesFrom(-1);
  const error = await assertRejects(
    () => simulate({ seed: 1 }, (network) => talk(network, now)),
    SimulationError,
  );
  assertEquals((error.cause as SocketError).kind, "CertificateRejected");
  assertMatch(String(error.cause), /it is not valid yet, but from 20[2-9]\d-/);
  const then = await certificatesFrom(LONG_AGO);
  assertEquals(await simulate({ seed: 1 }, (network) => talk(network, then)), "hello");
});

Deno.test("M8: a simulation with TLS is not repeatable, and check says so", async () => {
  const certificates = await certificatesFrom(LONG_AGO);
  const check = () => simulate({ seed: 1, check: true }, (network) => talk(network, certificates));
  await assertRejects(check, SimulationError, "two runs with one seed differ");
});
