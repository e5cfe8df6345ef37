/**
 * Joins groups by interfaces, and prints the outcome of each as JSON: "joined", or the kind and the reason.
 *
 * named_interface.ts
 */
import { bindUdp, joinMulticast, SocketError } from "../../../mod.ts";

const report: Record<string, unknown> = {};

async function tell(name: string, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
    report[name] = "joined";
  } catch (error) {
    if (!(error instanceof SocketError)) throw error;
    const { kind, operation, reason } = error;
    report[name] = { kind, operation, reason };
  }
}

const four = await bindUdp({ host: "0.0.0.0", port: 0 });
const six = await bindUdp({ host: "::", port: 0 });
await tell("address", () => joinMulticast(four, "239.255.7.7", { interface: "127.0.0.1" }));
await tell("name", () => joinMulticast(four, "239.255.7.8", { interface: "lo" }));
await tell("IPv6 name", () => joinMulticast(six, "ff02::7777", { interface: "lo" }));
await tell("IPv6 address", () => joinMulticast(six, "ff02::7778", { interface: "::1" }));
console.log(JSON.stringify(report));
Deno.exit(0);
